// Simple syntax highlighting of comments, strings, numbers and keywords. It accepts any text.

const C_WORDS =
  "alignas auto bool break case catch char class const constexpr continue default delete do double else enum explicit " +
  "extern false float for friend goto if inline int long mutable namespace new noexcept nullptr operator private " +
  "protected public return short signed sizeof static struct switch template this throw true try typedef typename " +
  "union unsigned using virtual void volatile while std string vector";
const JAVA_WORDS =
  "abstract assert boolean break byte case catch char class const continue default do double else enum extends final " +
  "finally float for if implements import instanceof int interface internal long namespace new null object override " +
  "package private protected public readonly record return sealed short static string super switch synchronized this " +
  "throw throws true false try using val var fun when is in void while yield trait def match type";
const SCRIPT_WORDS =
  "async await break case catch class const continue default delete do else export extends false finally for from " +
  "function if import in instanceof interface let new null of return static super switch this throw true try type " +
  "typeof undefined var void while yield";
const PYTHON_WORDS =
  "False None True and as assert async await break class continue def del elif else except finally for from global if " +
  "import in is lambda match case nonlocal not or pass raise return try while with yield print range len int str input";
const RUST_WORDS =
  "as async await break const continue crate dyn else enum extern false fn for if impl in let loop match mod move mut " +
  "pub ref return self Self static struct super trait true type unsafe use where while chan defer fallthrough func go " +
  "goto interface map package range select switch var case default import nil error string int";
const SHELL_WORDS =
  "if then else elif fi for while until do done case esac in function return local export read echo printf begin end " +
  "def class module require unless when yield nil true false self my sub use print puts foreach elseif end repeat and or not";
const SQL_WORDS =
  "select from where and or not insert into values update set delete create table drop join left right inner outer on " +
  "group by order having limit union all as distinct null primary key with case when then else end int text";

const SLASHES = { line: ["//"], block: ["/*", "*/"], quotes: `"'\`` };
const HASH = { line: ["#"], block: null, quotes: `"'` };
const FAMILIES = [
  [/^(py|pypy|python)/, { ...HASH, words: PYTHON_WORDS, triple: true }],
  [/^(c$|cpp|c\+\+|g\+\+|gcc|clang|objective|cuda|d$)/, { ...SLASHES, words: C_WORDS }],
  [/^(java$|kotlin|scala|csharp|c#|cs$|dart|swift|groovy|php)/, { ...SLASHES, words: JAVA_WORDS }],
  [/^(js|node|javascript|ts|typescript|deno|bun)/, { ...SLASHES, words: SCRIPT_WORDS }],
  [/^(rust|go|zig)/, { ...SLASHES, words: RUST_WORDS }],
  [/^(sql|sqlite|lua|haskell|ada)/, { line: ["--"], block: null, quotes: `"'`, words: SQL_WORDS }],
];
const OTHER = { ...HASH, words: SHELL_WORDS };
const LONGEST = 60_000;

// Return pairs [class or "", text] whose texts together are the source.
export function tokens(source, language) {
  if (source.length > LONGEST) return [["", source]];
  const family = FAMILIES.find(([pattern]) => pattern.test(language))?.[1] ?? OTHER;
  return [...scan(source, family, new Set(family.words.split(" ")))];
}

function* scan(source, family, words) {
  let at = 0;
  let plain = 0;
  while (at < source.length) {
    const end = tokenEnd(source, at, family);
    if (end === null) {
      const word = /^[A-Za-z_]\w*/.exec(source.slice(at, at + 64))?.[0];
      if (word && words.has(word)) {
        if (plain < at) yield ["", source.slice(plain, at)];
        yield ["keyword", word];
        plain = at + word.length;
      }
      at += word ? word.length : 1;
      continue;
    }
    if (plain < at) yield ["", source.slice(plain, at)];
    yield [end.kind, source.slice(at, end.at)];
    at = plain = end.at;
  }
  if (plain < source.length) yield ["", source.slice(plain)];
}

function tokenEnd(source, at, family) {
  const character = source[at];
  if (family.line.some((mark) => source.startsWith(mark, at))) return { kind: "comment", at: until(source, "\n", at) };
  if (family.block && source.startsWith(family.block[0], at)) {
    return { kind: "comment", at: past(source, family.block[1], at + 2) };
  }
  if (family.triple && (source.startsWith('"""', at) || source.startsWith("'''", at))) {
    return { kind: "string", at: past(source, source.slice(at, at + 3), at + 3) };
  }
  if (family.quotes.includes(character)) return { kind: "string", at: stringEnd(source, at, character) };
  if (/\d/.test(character) && !/\w/.test(source[at - 1] ?? "")) {
    return { kind: "number", at: at + /^[\w.]+/.exec(source.slice(at, at + 64))[0].length };
  }
  return null;
}

function until(source, mark, from) {
  const found = source.indexOf(mark, from);
  return found < 0 ? source.length : found;
}

function past(source, mark, from) {
  return Math.min(source.length, until(source, mark, from) + mark.length);
}

function stringEnd(source, at, quote) {
  for (let here = at + 1; here < source.length; here += 1) {
    if (source[here] === "\\") here += 1;
    else if (source[here] === quote) return here + 1;
    else if (source[here] === "\n" && quote !== "`") return here;
  }
  return source.length;
}
