object Main {
  def main(args: Array[String]): Unit = {
    var held = List[Array[Byte]]()
    while (true) held = new Array[Byte](1 << 20) :: held
  }
}
