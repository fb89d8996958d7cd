-- Text is built as Lua's users build it: pieces in a table, joined once.
local function main()
  local total = 0
  for round = 0, 19 do
    local pieces = {}
    for i = 0, 99999 do pieces[#pieces + 1] = "item " .. tostring(i) .. ";" end
    local text = table.concat(pieces)
    local parts = {}
    local from = 1
    while true do
      local at = string.find(text, ";", from, true)
      if not at then parts[#parts + 1] = string.sub(text, from); break end
      parts[#parts + 1] = string.sub(text, from, at - 1)
      from = at + 1
    end
    total = total + #text + #parts
    if string.find(text, "item 99999;", 1, true) then total = total + 1 end
    total = total + #string.upper(text)
  end
  return total
end
print(main())
