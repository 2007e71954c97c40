program summing
  implicit none
  integer :: count
  integer(8), allocatable :: numbers(:)
  read (*, *) count
  allocate (numbers(count))
  read (*, *) numbers
  print '(I0)', sum(numbers)
end program summing
