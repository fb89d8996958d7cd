local function main()
  local total = 0
  for round = 0, 9 do
    local xs = {}
    for i = 0, 499999 do xs[#xs + 1] = i * 2 end
    for i = 1, 500000 do total = total + xs[i] end
    for _, x in ipairs(xs) do total = total - x + 1 end
    for i = 1, 500000 do xs[i] = xs[i] + 1 end
    total = total + xs[500000]
  end
  return total
end
print(main())
