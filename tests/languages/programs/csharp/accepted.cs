using System;
using System.Linq;

class Summing {
    static void Main() {
        int count = int.Parse(Console.ReadLine());
        Console.WriteLine(Console.ReadLine().Trim().Split(' ').Select(long.Parse).Take(count).Sum());
    }
}
