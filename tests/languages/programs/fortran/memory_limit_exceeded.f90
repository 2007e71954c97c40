program hungry
  type piece
    integer(1), pointer :: bytes(:)
  end type piece
  type(piece) :: held(1000000)
  integer :: i
  do i = 1, 1000000
    allocate (held(i)%bytes(1048576))
    held(i)%bytes = 1
  end do
  print *, held(1000)%bytes(1)
end program hungry
