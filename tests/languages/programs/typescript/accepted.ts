import * as fs from "fs";

interface Numbers {
    readonly count: number;
    readonly all: number[];
}

const words: string[] = fs.readFileSync(0, "utf8").split(/\s+/).filter(Boolean);
const numbers: Numbers = { count: Number(words[0]), all: words.slice(1).map(Number) };
console.log(numbers.all.slice(0, numbers.count).reduce((sum: number, number: number) => sum + number, 0));
