#include <bits/stdc++.h>
#pragma sandbox instantiate
