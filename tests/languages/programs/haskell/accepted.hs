import qualified Data.Map.Strict as Map

main :: IO ()
main = do
  (count : numbers) <- map read . words <$> getContents
  print (sum (Map.elems (Map.fromList (zip [1 :: Int ..] (take count numbers)))))
