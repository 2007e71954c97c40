const answer: number = "text";
console.log(answer);
