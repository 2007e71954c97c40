// The initial program of the editor: the same small task in common languages.

export const SAMPLE_TESTS = [
  { stdin: "20 22\n", expected: "42\n" },
  { stdin: "1 1\n", expected: "2\n" },
  { stdin: "-5 5\n", expected: "0\n" },
];

const STARTERS = {
  python: "a, b = map(int, input().split())\nprint(a + b)\n",
  cpp: "#include <bits/stdc++.h>\n\nint main() {\n    long long a, b;\n    std::cin >> a >> b;\n    std::cout << a + b << '\\n';\n}\n",
  c: "#include <stdio.h>\n\nint main(void) {\n    long long a, b;\n    scanf(\"%lld %lld\", &a, &b);\n    printf(\"%lld\\n\", a + b);\n}\n",
  javascript: "const [a, b] = require('fs').readFileSync(0, 'utf8').split(/\\s+/).map(Number);\nconsole.log(a + b);\n",
  typescript: "const [a, b] = require('fs').readFileSync(0, 'utf8').split(/\\s+/).map(Number);\nconsole.log(a + b);\n",
  java: "import java.util.Scanner;\n\npublic class Main {\n    public static void main(String[] args) {\n        Scanner in = new Scanner(System.in);\n        System.out.println(in.nextLong() + in.nextLong());\n    }\n}\n",
  go: "package main\n\nimport \"fmt\"\n\nfunc main() {\n    var a, b int\n    fmt.Scan(&a, &b)\n    fmt.Println(a + b)\n}\n",
  rust: "use std::io::{self, Read};\n\nfn main() {\n    let mut text = String::new();\n    io::stdin().read_to_string(&mut text).unwrap();\n    let sum: i64 = text.split_whitespace().map(|n| n.parse::<i64>().unwrap()).sum();\n    println!(\"{}\", sum);\n}\n",
  ruby: "puts gets.split.sum(&:to_i)\n",
  bash: "read -r a b\necho $((a + b))\n",
  perl: "my ($a, $b) = split ' ', <STDIN>;\nprint $a + $b, \"\\n\";\n",
  php: "<?php\n[$a, $b] = explode(' ', trim(fgets(STDIN)));\necho $a + $b, \"\\n\";\n",
  lua: "local a, b = io.read('n', 'n')\nprint(string.format('%d', a + b))\n",
};

// Return the starter for a language or one of its versions (`cpp17` uses that of `cpp`).
export function starter(language) {
  if (language === "pypy") return STARTERS.python;
  return STARTERS[language] ?? STARTERS[language.replace(/\d+$/, "")] ?? "";
}

export function isStarter(code) {
  return code.trim() === "" || Object.values(STARTERS).includes(code);
}
