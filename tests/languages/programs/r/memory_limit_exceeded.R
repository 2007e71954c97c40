held <- list()
while (TRUE) held[[length(held) + 1]] <- rep(0.5, 2^17)
