const answer: number = 0;
console.log(answer);
