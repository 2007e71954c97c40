numbers <- scan(file("stdin"), quiet = TRUE)
cat(sum(numbers[2:(numbers[1] + 1)]), "\n", sep = "")
