use strict;
use warnings;
use List::Util qw(sum0);

my ($count, @numbers) = split ' ', join('', <STDIN>);
print sum0(@numbers[0 .. $count - 1]), "\n";
