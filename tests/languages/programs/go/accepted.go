package main

import (
	"bufio"
	"fmt"
	"os"
)

func main() {
	in := bufio.NewReader(os.Stdin)
	var count int
	fmt.Fscan(in, &count)
	sum := 0
	for i := 0; i < count; i++ {
		var number int
		fmt.Fscan(in, &number)
		sum += number
	}
	fmt.Println(sum)
}
