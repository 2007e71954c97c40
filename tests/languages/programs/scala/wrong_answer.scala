object Main extends App {
  println(0)
}
