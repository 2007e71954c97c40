fun main() {
    val held = ArrayList<ByteArray>()
    while (true) held.add(ByteArray(1 shl 20))
}
