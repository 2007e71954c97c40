program looping
  integer, volatile :: count
  count = 0
  do
    count = 1 - count
  end do
end program looping
