// Why a vote chose its golden candidate, and how candidates did on the inputs of the choice and on those held out.

import { seconds } from "./verdicts.js";

// Return how many labeled inputs were used to choose the golden candidate, and how many were held out.
export function countInputs(labels) {
  const labeled = labels.filter((label) => label.why === null);
  const held = labeled.filter((label) => label.held_out).length;
  return { chosenOn: labeled.length - held, held };
}

export function explainChoice(request, { golden, candidates }) {
  if (golden.index === null) return "No candidate passes any input.";
  const { cpu_time_s: cpu } = candidates[golden.index];
  const score = golden.score.toFixed(3);
  const reason = {
    cpu_time: `broken by time: it is clearly the fastest, with ${seconds(cpu)} of CPU`,
    length: `broken by length: of those that are about as fast, its program is the shortest, with ${request.candidates[golden.index].code.length} characters`,
    index: "broken by order: of those that are about as fast and as short, it is the first",
  }[golden.tie_break];
  if (!reason) return `It alone has the highest score, ${score}, on the inputs of the choice.`;
  if (golden.tie_break === "index" && request.policy?.golden_tie === "first") return `Tie of ${golden.tied} with the score ${score}, broken by order: it is the first.`;
  return `Tie of ${golden.tied} with the score ${score}, ${reason}.`;
}

// Return the two scores of a candidate: [text of the inputs of the choice, text of the held-out inputs].
export function scores(candidate, { chosenOn, held }) {
  return [`${candidate.selection_passed}/${chosenOn} · ${candidate.score.toFixed(3)}`, held ? `${candidate.holdout_passed}/${held}` : "–"];
}
