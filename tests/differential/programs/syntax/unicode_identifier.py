# A name with a ligature is normalized to plain letters.
ﬁ = 1
print(fi, sorted(k for k in globals() if k == "fi"))
