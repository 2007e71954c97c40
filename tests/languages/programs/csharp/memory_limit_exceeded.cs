using System.Collections.Generic;

class Program {
    static void Main() {
        var held = new List<long[]>();
        while (true) {
            var piece = new long[1 << 17];
            for (int i = 0; i < piece.Length; i++) piece[i] = 1;
            held.Add(piece);
        }
    }
}
