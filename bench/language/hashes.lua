local function main()
  local total = 0
  for round = 0, 4 do
    local h = {}
    local size = 0
    for i = 0, 199999 do h[i * 7] = i; size = size + 1 end
    for i = 0, 199999 do total = total + h[i * 7] end
    local names = {}
    for i = 0, 99999 do names["key" .. tostring(i)] = i; size = size + 1 end
    for i = 0, 99999 do total = total + names["key" .. tostring(i)] end
    local point = {x = 1, y = 2, z = 3}
    for i = 0, 499999 do total = total + point.x + point.y - point.z end
    total = total + size
  end
  return total
end
print(main())
