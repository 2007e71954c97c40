fun main() {
    val count = readLine()!!.trim().toInt()
    val numbers = readLine()!!.trim().split(" ").map { it.toLong() }
    println(numbers.take(count).sum())
}
