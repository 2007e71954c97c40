package main

func main() {
	println("42, but on stderr")
}
