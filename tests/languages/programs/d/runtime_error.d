void main(string[] args)
{
    int[] nothing;
    nothing[args.length] = 1;
}
