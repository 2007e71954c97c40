program wrong
  print '(I0)', 0
end program wrong
