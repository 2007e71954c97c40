"""Separate the model's text from the prompt, so that no program copied from the prompt earns a reward. Pure.

Some trainers pass only the response. Others pass the whole sequence: padding, the prompt as its chat template rendered
it, then the response. A completion that begins with padding or with a user turn is treated as a whole sequence,
whatever the trainer claims. Three rules separate the two:

1. In a whole sequence the response starts after the prompt. The comparison ignores white space and special tokens. A
   prompt that was truncated on the left, or wrapped by a template, is found by its end. If the prompt is unknown or not
   found, the response starts after the last token that opens an assistant turn. Without that token the response is
   unknown, and there is no answer.
2. A code block that equals one of the prompt's blocks, ignoring white space, is never the answer.
3. If the prompt ends inside a code fence, the response continues it: the fence and the code after it count.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.rewards.code_blocks import scan_blocks
from sandbox.rewards.extraction import fingerprint, get_content_text
from sandbox.rewards.fences import starts_with_fence

# What a tokenizer adds or loses between a prompt and its sequence: white space, special tokens, and the rest of a
# character that was cut in two.
_NOISE = re.compile(
    r"(?:[\s\u200b\u200c\u200d\u2060\ufeff\ufffd]|<[|\uff5c][^<>\s]{1,60}[|\uff5c]>|</?s>"
    r"|<(?:pad|bos|eos|unk|start_of_turn|end_of_turn|begin_of_sentence|end_of_sentence)>"
    r"|\[(?:PAD|CLS|SEP|BOS|EOS|UNK)\])++"
)
_ASSISTANT = re.compile(
    r"<\|im_start\|>assistant\b|<\|start_header_id\|>assistant<\|end_header_id\|>"
    r"|<\|header_start\|>assistant<\|header_end\|>|<\|start_of_role\|>assistant<\|end_of_role\|>"
    r"|<\|start\|>assistant\b|<start_of_turn>model\b|<\|[Aa]ssistant\|>|<\uff5cAssistant\uff5c>|<\|CHATBOT_TOKEN\|>"
    r"|\[/INST\]"
)
_USER_TOKENS = (
    r"<\|im_start\|>(?:user|system|tool)\b|<\|start_header_id\|>(?!assistant)|<\|header_start\|>(?!assistant)"
    r"|<\|start_of_role\|>(?!assistant)|<\|start\|>(?:user|system|developer)\b|<start_of_turn>user\b"
    r"|<\|(?:[Uu]ser|[Ss]ystem)\|>|<\uff5cUser\uff5c>|<\|(?:USER|SYSTEM)_TOKEN\|>|\[INST\]"
)
_USER = re.compile(_USER_TOKENS)
# Tokens that pad a batch or begin a sequence. No response begins with one.
_PADDING = (
    r"<s>|</s>|<(?:pad|bos|eos|unk)>|\[(?:PAD|CLS|BOS)\]|<\|(?:endoftext|end_of_text|begin_of_text|startoftext|pad|padding"
    r"|finetune_right_pad_id|eot_id|im_end)\|>|<\uff5cbegin\u2581of\u2581sentence\uff5c>"
    r"|<\uff5cend\u2581of\u2581sentence\uff5c>|<\uff5c\u2581pad\u2581\uff5c>|<BOS_TOKEN>|<PAD>"
)
_BEGINS_PADDED = re.compile(rf"\s*+(?:{_PADDING})")
_BEGINS_WITH_TURN = re.compile(rf"(?:\s|{_PADDING})*+(?:{_USER_TOKENS})")
_TURN_END = re.compile(r"<\|(?:im_end|eot_id|eot|end|end_of_text|endoftext)\|>|<end_of_turn>|</s>|\[/INST\]")
# The length of a prompt's end that identifies it in a sequence without the prompt's beginning.
_TAIL_CHARS = 64
# A prompt shorter than this is only searched for at the beginning of the sequence.
_MIN_SEARCH_CHARS = 8
_OPENING_CHARS = 256

UNKNOWN_RESPONSE = "cannot separate the response from the prompt: the prompt is missing, or not in the text"


@dataclass(frozen=True, slots=True)
class Prompt:
    """A completion's prompt.

    `texts` are its parts in order, `code_fingerprints` identify its code blocks, and `open_fence` is the fence that it
    leaves open, with the text after it.
    """

    texts: tuple[str, ...]
    code_fingerprints: frozenset[str] = frozenset()
    open_fence: str = ""

    @staticmethod
    def parse(prompt: str | Sequence[Mapping[str, Any]]) -> Prompt:
        """Parse a prompt, given as text or chat messages. Code in earlier assistant turns counts as the model's own."""
        if isinstance(prompt, str):
            return Prompt((prompt,), _fingerprint_blocks([prompt]), _find_open_fence(prompt))
        messages = [(message.get("role"), get_content_text(message.get("content"))) for message in prompt]
        programs = _fingerprint_blocks(text for role, text in messages if role != "assistant")
        prefill = messages[-1][1] if messages and messages[-1][0] == "assistant" else ""
        return Prompt(tuple(text for _, text in messages), programs, _find_open_fence(prefill))

    def find_response(self, sequence: str) -> str | None:
        """Return the response in a whole sequence, or None if it cannot be separated from the prompt."""
        if not any(text.strip() for text in self.texts):
            return sequence
        if len(self.texts) == 1 and sequence.startswith(self.texts[0]):
            return _skip_turn_opening(sequence, len(self.texts[0]))
        end = _find_prompt_end(self.texts, sequence)
        if end is not None:
            return _skip_turn_opening(sequence, end)
        response = find_response_after_turn(sequence)
        return sequence if response is None and not self.code_fingerprints and not self.open_fence else response

    def strip_copy(self, response: str) -> str:
        """Remove the prompt from a response that turns out to be a whole sequence, if the prompt contains code."""
        if not self.code_fingerprints or len(self.texts) != 1:
            return response
        text = self.texts[0]
        if response.startswith(text):
            return response[len(text) :]
        end = _find_prompt_end(self.texts, response[: 4 * len(text) + 4096], anywhere=False)
        return response if end is None else response[end:]

    def prepend_open_fence(self, response: str, thinking_tag: str = "") -> str:
        """Prepend the fence that the prompt leaves open, if the response continues inside it."""
        if not self.open_fence or starts_with_fence(response) or _starts_with_thinking(response, thinking_tag):
            return response
        reading = scan_blocks(response)
        if reading.blocks and not reading.ends_open:
            return response  # its own fences pair up, so it does not continue the prompt's
        return self.open_fence + ("" if "\n" in self.open_fence or response.startswith("\n") else "\n") + response


NO_PROMPT = Prompt(())


def find_response_without_prompt(completion: str) -> str | None:
    """Return the response in a completion whose prompt is unknown, or None if it cannot be found.

    A completion that begins with padding, or with another role's turn, is treated as a whole sequence.
    """
    return (
        find_response_after_turn(completion) if _BEGINS_PADDED.match(completion) else find_response_in_turns(completion)
    )


def find_response_in_turns(completion: str) -> str | None:
    """Return the last assistant turn if a completion begins with another role's turn; otherwise the completion."""
    return find_response_after_turn(completion) if _BEGINS_WITH_TURN.match(completion) else completion


def find_response_after_turn(sequence: str) -> str | None:
    """Return the text after the last token that opens an assistant turn, or None if another role's turn follows it."""
    end = max((opening.end() for opening in _ASSISTANT.finditer(sequence)), default=None)
    return None if end is None or _USER.search(sequence, end) else sequence[end:]


def _skip_turn_opening(sequence: str, end: int) -> str:
    """Return the text after the prompt's end, without the template tokens that open the assistant turn."""
    opening = _ASSISTANT.search(sequence, end, end + _OPENING_CHARS)
    if opening is not None and not any(_NOISE.split(sequence[end : opening.start()])):
        end = opening.end()
    return sequence[end:]


def _fingerprint_blocks(texts: Iterable[str]) -> frozenset[str]:
    found = [block for text in texts if "```" in text or "~~~" in text for block in _list_block_codes(text)]
    return frozenset(fingerprint(code) for code in found)


def _list_block_codes(text: str) -> list[str]:
    return [block.code for lenient in (False, True) for block in scan_blocks(text, lenient=lenient).blocks]


def _find_open_fence(text: str) -> str:
    """Return the fence that a text leaves open, with the text after it. Empty if none, or if the turn has ended."""
    if "```" not in text and "~~~" not in text:
        return ""
    block = scan_blocks(text).open_block
    if block is None or _TURN_END.search(block.tag) or _TURN_END.search(block.code):
        return ""
    return f"{block.mark}{block.tag}" + ("\n" + block.code if block.lines else "")


def _starts_with_thinking(response: str, tag: str) -> bool:
    return bool(tag) and response.lstrip().startswith(f"<{tag}>")


def _find_prompt_end(texts: Sequence[str], sequence: str, anywhere: bool = True) -> int | None:
    """Return the offset where the prompt's texts end in a sequence, or None if they are not all there in order."""
    pieces = _split_at_noise(sequence)
    squeezed = "".join(sequence[start:end] for start, end in pieces)
    position = 0
    for number, text in enumerate(texts):
        wanted = "".join(_NOISE.split(text))
        found = _find_text_end(wanted, squeezed, position, anywhere=anywhere, cut=number == 0)
        if found is None:
            return None
        position = found
    return _map_position(pieces, position)


def _find_text_end(wanted: str, squeezed: str, position: int, *, anywhere: bool, cut: bool) -> int | None:
    """Return where `wanted` ends in the squeezed text, at `position` or later. If it was cut, match its end only."""
    if squeezed.startswith(wanted, position):
        return position + len(wanted)
    if not anywhere or len(wanted) < _MIN_SEARCH_CHARS:
        return None
    start = squeezed.find(wanted, position)
    if start < 0 and cut and len(wanted) > _TAIL_CHARS:
        wanted = wanted[-_TAIL_CHARS:]
        start = squeezed.find(wanted, position)
    return start + len(wanted) if start >= 0 else None


def _split_at_noise(text: str) -> list[tuple[int, int]]:
    """Return the spans of the text between noise."""
    spans = []
    start = 0
    for noise in _NOISE.finditer(text):
        if noise.start() > start:
            spans.append((start, noise.start()))
        start = noise.end()
    if start < len(text):
        spans.append((start, len(text)))
    return spans


def _map_position(pieces: Sequence[tuple[int, int]], position: int) -> int:
    """Map a position in the joined pieces back to an offset in the text."""
    place = 0
    for start, end in pieces:
        if position <= 0:
            break
        place = min(end, start + position)
        position -= end - start
    return place
