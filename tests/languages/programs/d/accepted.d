import std.algorithm, std.array, std.conv, std.stdio, std.string;

void main()
{
    auto count = readln.strip.to!int;
    writeln(readln.split.map!(to!long).array[0 .. count].sum);
}
