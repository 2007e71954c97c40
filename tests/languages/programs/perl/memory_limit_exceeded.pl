my @held;
push @held, "x" x (1 << 20) . scalar(@held) while 1;
