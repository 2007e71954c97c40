fun main(args: Array<String>) {
    println(0)
}
