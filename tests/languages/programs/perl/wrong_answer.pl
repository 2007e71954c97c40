print "0\n";
