void main()
{
    import core.volatile;

    uint count;
    for (;;)
        volatileStore(&count, volatileLoad(&count) + 1);
}
