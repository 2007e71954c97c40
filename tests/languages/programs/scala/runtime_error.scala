object Main extends App {
  println(List(1, 2)(1000))
}
