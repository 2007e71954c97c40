<?php
[$count, $line] = [intval(fgets(STDIN)), trim(fgets(STDIN))];
echo array_sum(array_slice(array_map('intval', explode(' ', $line)), 0, $count)), "\n";
