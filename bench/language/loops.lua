local function main()
  local total = 0
  local i = 0
  while i < 20000000 do
    if i % 3 == 0 then total = total + i else total = total - 1 end
    i = i + 1
  end
  for a = 0, 2999 do for b = 0, 999 do total = total + a * b % 7 end end
  return total
end
print(main())
