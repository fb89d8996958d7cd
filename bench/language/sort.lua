local function numbers(n)
  local xs = {}
  local seed = 42
  for i = 1, n do
    seed = (seed * 16807) % 2147483647
    xs[#xs + 1] = seed
  end
  return xs
end

local function quicksort(xs, low, high)
  if low < high then
    local pivot = xs[math.floor((low + high) / 2)]
    local i = low
    local j = high
    while i <= j do
      while xs[i] < pivot do i = i + 1 end
      while xs[j] > pivot do j = j - 1 end
      if i <= j then
        local a = xs[i]
        xs[i] = xs[j]
        xs[j] = a
        i = i + 1
        j = j - 1
      end
    end
    quicksort(xs, low, j)
    quicksort(xs, i, high)
  end
  return xs
end

local xs = numbers(300000)
local a = {}
for i = 1, #xs do a[i] = xs[i] end
table.sort(a)
local b = quicksort(xs, 1, #xs)
for i = 1, #a do assert(a[i] == b[i]) end
print(a[1] + a[150001] + a[300000])
