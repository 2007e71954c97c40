package main

func main() {
	var nothing []int
	nothing[len(nothing)] = 1
}
