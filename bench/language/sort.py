def numbers(n):
    xs = []
    seed = 42
    for _ in range(n):
        seed = (seed * 16807) % 2147483647
        xs.append(seed)
    return xs

def quicksort(xs, low, high):
    if low < high:
        pivot = xs[(low + high) // 2]
        i = low
        j = high
        while i <= j:
            while xs[i] < pivot:
                i = i + 1
            while xs[j] > pivot:
                j = j - 1
            if i <= j:
                xs[i], xs[j] = xs[j], xs[i]
                i = i + 1
                j = j - 1
        quicksort(xs, low, j)
        quicksort(xs, i, high)
    return xs

xs = numbers(300000)
a = sorted(xs)
b = quicksort(xs, 0, len(xs) - 1)
for i in range(len(a)):
    assert a[i] == b[i]
print(a[0] + a[150000] + a[299999])
