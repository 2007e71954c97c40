object Summing {
  def main(args: Array[String]): Unit = {
    val count = scala.io.StdIn.readLine().trim.toInt
    val numbers = scala.io.StdIn.readLine().trim.split(" ").map(_.toLong)
    println(numbers.take(count).sum)
  }
}
