void main()
{
    ubyte[][] held;
    for (;;)
    {
        auto piece = new ubyte[1 << 20];
        piece[] = 1;
        held ~= piece;
    }
}
