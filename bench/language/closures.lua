local function adder(n) return function(x) return x + n end end
local function compose(f, g) return function(x) return g(f(x)) end end
local function main()
  local total = 0
  for i = 0, 1999999 do
    local f = adder(i)
    local g = compose(f, adder(1))
    total = total + g(total % 10)
  end
  return total
end
print(main())
