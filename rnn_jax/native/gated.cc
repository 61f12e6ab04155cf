// The loop of a gated cell over time: a product with a packed kernel at every step, and the gates of each row after it.
// Rows are cut among the threads, which do not wait for one another before the end.
@CONSTANTS@

// --------------------------------------------------------------------------------------------------------- products

static size_t packed_size(size_t rows, size_t columns) { return (columns + VW - 1) / VW * VW * rows; }

// How many vectors wide the next panel of a kernel is, of which so many columns are left.
static int panel_width(int columns) {
  const int vectors = (columns + VW - 1) / VW;
  return vectors == WIDE + 1 ? (vectors + 1) / 2 : std::min(vectors, WIDE);
}

// Entries of a kernel: (k, n) is at base[k * row + columns[n]].
struct Entries { const R* base; int rows; size_t row; const std::vector<int64_t>& columns; };

// Kernels below one another in panels of columns, each panel row by row.
static void pack(int count, std::initializer_list<Entries> kernels, R* out) {
  for (int n0 = 0; n0 < count;) {
    const int wide = panel_width(count - n0) * VW, there = std::min(wide, count - n0);
    for (const Entries& from : kernels) {
      const int64_t* columns = from.columns.data() + n0;
      const bool in_order = columns[there - 1] - columns[0] == there - 1;
      for (int k0 = 0; k0 < from.rows; k0 += 64) {
        const int k1 = std::min(from.rows, k0 + 64);
        if (in_order) {
          for (int k = k0; k < k1; k++) std::memcpy(out + k * wide, from.base + k * from.row + columns[0], there * sizeof(R));
        } else {
          for (int j = 0; j < there; j++) {
            const R* column = from.base + columns[j];
            for (int k = k0; k < k1; k++) out[k * wide + j] = column[k * from.row];
          }
        }
        if (there < wide)
          for (int k = k0; k < k1; k++) std::fill(out + k * wide + there, out + (k + 1) * wide, R(0));
      }
      out += size_t(from.rows) * wide;
    }
    n0 += wide;
  }
}

// Rows `a` with stride `lda`, of which the first k numbers enter a product.
struct Rows { const R* a; size_t lda; int k; };

// c = init + left K1 + right K2 for HI rows and one panel of W vectors; K1 and K2 stand below one another.
template <int HI, int W>
static void panel(Rows left, Rows right, const R* p, R* c, size_t ldc, const R* init, size_t ld, int columns) {
  constexpr int LANES = HI * W >= 8 ? 1 : 8 / (HI * W);  // sums side by side: one alone would wait for itself
  V sum[LANES][HI][W];
  for (int i = 0; i < HI; i++)
    for (int w = 0; w < W; w++) {
      for (int l = 0; l < LANES; l++) sum[l][i][w] = V{};
      if (init) {
        const int left_over = columns - w * VW;
        const R* from = init + i * ld + w * VW;
        sum[0][i][w] = left_over >= VW ? whole(from) : load<false>(from, std::max(0, left_over));
      }
    }
  for (const Rows& rows : {left, right}) {
    int k = 0;
    for (; k + LANES <= rows.k; k += LANES, p += LANES * W * VW)
      for (int l = 0; l < LANES; l++) {
        V b[W];
        for (int w = 0; w < W; w++) b[w] = whole(p + (l * W + w) * VW);
        for (int i = 0; i < HI; i++) {
          const V a = broadcast(rows.a[i * rows.lda + k + l]);
          for (int w = 0; w < W; w++) sum[l][i][w] += a * b[w];
        }
      }
    for (; k < rows.k; k++, p += W * VW)
      for (int i = 0; i < HI; i++)
        for (int w = 0; w < W; w++) sum[0][i][w] += broadcast(rows.a[i * rows.lda + k]) * whole(p + w * VW);
  }
  for (int i = 0; i < HI; i++)
    for (int w = 0; w < W; w++) {
      for (int l = 1; l < LANES; l++) sum[0][i][w] += sum[l][i][w];
      const int left_over = columns - w * VW;
      if (left_over >= VW) store<true>(c + i * ldc + w * VW, sum[0][i][w], VW);
      else store<false>(c + i * ldc + w * VW, sum[0][i][w], std::max(0, left_over));
    }
}

template <int W>
static void panel_rows(int m, Rows a, Rows b, const R* p, R* c, size_t ldc, const R* init, size_t ld, int columns) {
  int i = 0;
  auto rows_of = [&](auto high) {
    constexpr int HI = decltype(high)::value;
    for (; i + HI <= m && (HI != 6 || m - i != 8); i += HI)
      panel<HI, W>({a.a + i * a.lda, a.lda, a.k}, {b.a + i * b.lda, b.lda, b.k}, p, c + i * ldc, ldc,
                   init ? init + i * ld : nullptr, ld, columns);
  };
  rows_of(std::integral_constant<int, HIGH>{});
  rows_of(std::integral_constant<int, 4>{});
  rows_of(std::integral_constant<int, 2>{});
  rows_of(std::integral_constant<int, 1>{});
}

// c [m, columns] = init + a K1 + b K2, with stride 0 of `init` for one row that all share.
static void product(int m, Rows a, Rows b, const R* packed, int columns, R* c, size_t ldc, const R* init, size_t ld) {
  for (int n0 = 0; n0 < columns;) {
    const int left = columns - n0, width = panel_width(left);
    const R* p = packed + size_t(n0) * (a.k + b.k);
    const R* from = init ? init + n0 : nullptr;
    if (width == 1) panel_rows<1>(m, a, b, p, c + n0, ldc, from, ld, left);
    else if (width == 2) panel_rows<2>(m, a, b, p, c + n0, ldc, from, ld, left);
    else panel_rows<3>(m, a, b, p, c + n0, ldc, from, ld, left);
    n0 += width * VW;
  }
}

// ------------------------------------------------------------------------------------------------ what the cell does

struct Row {
  const R *z, *scratch, *vectors, *y_bar, *x_bar;
  const int* z_at;  // where each part of z stands behind `z`
  R *carry[LEAVES], *before[LEAVES];
  R *y, *saved, *x, *z_bar, *r_bar, *vector_bar;
};
@GENERATED@

template <class F> INLINE void over_units(int units, F f) {
  int j = 0;
  for (; j + VW <= units; j += VW) f(std::true_type{}, j, VW);
  if (j < units) f(std::false_type{}, j, units - j);
}

// ---------------------------------------------------------------------------------------------------------- the loops

static int chunks(ffi::ThreadPool pool, int64_t loops, int64_t rows, double work) {
  if (work < 2e5) return 1;
  const int64_t threads = pool.num_threads();
  return std::max<int64_t>(1, std::min<int64_t>((threads + loops - 1) / loops, rows / 2));
}
// Rows of a chunk: all chunks but the last have the same number, a multiple of 2.
static int64_t chunk_rows(int64_t rows, int parts) { return ((rows + parts - 1) / parts + 1) / 2 * 2; }

static ffi::Error forward(ffi::ThreadPool pool, int64_t flags, int64_t units, ffi::RemainingArgs args,
                          ffi::RemainingRets rets) {
  Arguments in{args};
  Results out{rets};
  const ffi::AnyBuffer input = in.next();
  const auto dims = input.dimensions();
  const int64_t S = dims[0], T = dims[1], B = dims[2], D = dims[3], H = units;
  const bool hoisted = flags & HOISTED, save = flags & SAVE, reverse = flags & REVERSE;
  const int64_t GZ = Z_PARTS * H, GR = R_PARTS * H, X = X_PARTS * H, Y = Y_PARTS * H, NV = VECTOR_PARTS * H;
  const R* xs = reals(input);
  const R *w = nullptr, *bias = nullptr, *k = nullptr, *r_bias = nullptr, *vectors = nullptr;
  if (!hoisted) w = reals(in.next()), bias = reals(in.next());
  k = reals(in.next()), r_bias = reals(in.next());
  if (NV) vectors = reals(in.next());
  const R *carry[LEAVES], *start[LEAVES];
  for (int l = 0; l < LEAVES; l++) carry[l] = reals(in.next());
  if (flags & RESETS) for (int l = 0; l < LEAVES; l++) start[l] = reals(in.next());
  const bool* valid = flags & VALID ? truths(in.next()) : nullptr;
  const bool* resets = flags & RESETS ? truths(in.next()) : nullptr;
  R *last[LEAVES], *before[LEAVES] = {}, *saved = nullptr;
  for (int l = 0; l < LEAVES; l++) last[l] = out.next();
  R* ys = out.next();
  if (save) {
    for (int l = 0; l < LEAVES; l++) before[l] = out.next();
    if (SAVED_PARTS) saved = out.next();
  }

  // Columns of the products: sums of z and r, then what of z stands alone (unless z is given), then what of r does.
  const int64_t kx = hoisted ? 0 : D, NA = SUMS * H, NZ = hoisted ? 0 : Z_ALONE * H, NRR = R_ALONE * H;
  const int64_t columns = NA + NZ + NRR;
  const size_t size_a = packed_size(kx + X, NA), size_z = packed_size(kx, NZ), size_r = packed_size(X, NRR);
  const size_t size = size_a + size_z + size_r;
  const Buffer packed = buffer(S * size), biases = buffer(S * columns);
  int z_at[Z_PARTS];
  for (int q = 0, alone = 0; q < Z_PARTS; q++) z_at[q] = hoisted ? q * H : (Z_IS_ALONE[q] ? NA + alone++ * H : 0);
  auto places = [H](const int* parts, int count) {
    std::vector<int64_t> found(count * H);
    for (int64_t n = 0; n < count * H; n++) found[n] = parts[n / H] * H + n % H;
    return found;
  };
  const auto sum_z = places(SUM_Z, SUMS), sum_r = places(SUM_R, SUMS);
  const auto alone_z = places(ALONE_Z, hoisted ? 0 : Z_ALONE), alone_r = places(ALONE_R, R_ALONE);
  run_tasks(pool, S, [&](int s) {
    R *pa = packed.get() + s * size, *b = biases.get() + s * columns;
    const R *bz = bias + s * GZ, *br = r_bias + s * GR;
    const R *ws = w + s * D * GZ, *ks = k + s * X * GR;
    pack(NA, {{ws, int(kx), size_t(GZ), sum_z}, {ks, int(X), size_t(GR), sum_r}}, pa);
    pack(NZ, {{ws, int(kx), size_t(GZ), alone_z}}, pa + size_a);
    pack(NRR, {{ks, int(X), size_t(GR), alone_r}}, pa + size_a + size_z);
    for (int n = 0; n < NA; n++) b[n] = (hoisted ? 0 : bz[sum_z[n]]) + br[sum_r[n]];
    for (int n = 0; n < NZ; n++) b[NA + n] = bz[alone_z[n]];
    for (int n = 0; n < NRR; n++) b[NA + NZ + n] = br[alone_r[n]];
  });

  const int parts = chunks(pool, S, B, double(T) * B * columns * (kx + X + 8));
  const int64_t per = chunk_rows(B, parts);
  run_tasks(pool, S * parts, [&](int task) {
    const int64_t s = task / parts, lo = task % parts * per, m = std::min(B, lo + per) - lo;
    if (m <= 0) return;
    const R *pa = packed.get() + s * size, *b = biases.get() + s * columns;
    int64_t at[LEAVES + 1] = {0};
    for (int l = 0; l < LEAVES; l++) at[l + 1] = at[l] + m * LEAF_PARTS[l] * H;
    const Buffer state = buffer(at[LEAVES]), scratch = buffer(m * columns), x = buffer(X_LEAF < 0 ? m * X : 0);
    for (int l = 0; l < LEAVES; l++) {
      const int64_t n = LEAF_PARTS[l] * H;
      std::memcpy(state.get() + at[l], carry[l] + (s * B + lo) * n, m * n * sizeof(R));
    }
    const bool shifted = std::any_of(b, b + NA, [](R one) { return one != 0; });
    const R* x_rows = X_LEAF < 0 ? x.get() : state.get() + at[std::max(0, X_LEAF)];
    auto row_of = [&](int64_t t, int64_t i) {
      const int64_t row = (s * T + t) * B + lo + i;
      Row r{};
      r.z = hoisted ? xs + row * GZ : scratch.get() + i * columns;
      r.z_at = z_at;
      r.scratch = scratch.get() + i * columns;
      r.vectors = vectors + s * NV;
      r.y = ys + row * Y;
      r.saved = save ? saved + row * SAVED_PARTS * H : nullptr;
      r.x = x.get() + i * X;
      for (int l = 0; l < LEAVES; l++) {
        r.carry[l] = state.get() + at[l] + i * LEAF_PARTS[l] * H;
        r.before[l] = save ? before[l] + row * LEAF_PARTS[l] * H : nullptr;
      }
      return r;
    };
    for (int64_t n = 0; n < T; n++) {
      const int64_t t = reverse ? T - 1 - n : n, first = (s * T + t) * B + lo;
      if (resets)
        for (int64_t i = 0; i < m; i++)
          if (resets[first + i])
            for (int l = 0; l < LEAVES; l++) {
              const int64_t width = LEAF_PARTS[l] * H;
              std::memcpy(state.get() + at[l] + i * width, start[l] + (s * B + lo + i) * width, width * sizeof(R));
            }
      if (X_LEAF < 0)
        for (int64_t i = 0; i < m; i++) {
          const Row r = row_of(t, i);
          over_units(H, [&](auto full, int j, int n) { make_x<decltype(full)::value>(r, j, n, H); });
        }
      const R* x_t = xs + first * D;
      const Rows from_input{x_t, size_t(D), int(kx)}, from_carry{x_rows, size_t(X), int(X)}, none{x_rows, 0, 0};
      if (NA) {
        const R* init = b;
        size_t ld = 0;
        if (hoisted) {
          if (SUMS_IN_ORDER && !shifted) init = x_t, ld = GZ;
          else {
            for (int64_t i = 0; i < m; i++)
              for (int64_t c = 0; c < NA; c++)
                scratch[i * columns + c] = b[c] + x_t[i * GZ + SUM_Z[c / H] * H + c % H];
            init = scratch.get(), ld = columns;
          }
        }
        product(m, from_input, from_carry, pa, NA, scratch.get(), columns, init, ld);
      }
      if (NZ) product(m, from_input, none, pa + size_a, NZ, scratch.get() + NA, columns, b + NA, 0);
      if (NRR) product(m, none, from_carry, pa + size_a + size_z, NRR, scratch.get() + NA + NZ, columns, b + NA + NZ, 0);
      for (int64_t i = 0; i < m; i++) {
        const Row r = row_of(t, i);
        if (valid && !valid[first + i]) {
          std::fill_n(r.y, Y, R(0));
          if (save)
            for (int l = 0; l < LEAVES; l++) std::memcpy(r.before[l], r.carry[l], LEAF_PARTS[l] * H * sizeof(R));
          continue;
        }
        const int64_t r_at = NA + NZ;
        if (save) over_units(H, [&](auto full, int j, int n) { step<decltype(full)::value, true>(r, j, n, H, r_at); });
        else over_units(H, [&](auto full, int j, int n) { step<decltype(full)::value, false>(r, j, n, H, r_at); });
      }
    }
    for (int l = 0; l < LEAVES; l++) {
      const int64_t n = LEAF_PARTS[l] * H;
      std::memcpy(last[l] + (s * B + lo) * n, state.get() + at[l], m * n * sizeof(R));
    }
  });
  return ffi::Error::Success();
}

static ffi::Error backward(ffi::ThreadPool pool, int64_t flags, int64_t units, ffi::RemainingArgs args,
                           ffi::RemainingRets rets) {
  Arguments in{args};
  Results out{rets};
  const bool reverse = flags & REVERSE;
  const int64_t H = units;
  const int64_t GZ = Z_PARTS * H, GR = R_PARTS * H, X = X_PARTS * H, Y = Y_PARTS * H, NV = VECTOR_PARTS * H;
  const R *k = reals(in.next()), *vectors = nullptr, *saved = nullptr, *before[LEAVES], *last_bar[LEAVES];
  if (NV) vectors = reals(in.next());
  for (int l = 0; l < LEAVES; l++) before[l] = reals(in.next());
  if (SAVED_PARTS) saved = reals(in.next());
  const bool* valid = flags & VALID ? truths(in.next()) : nullptr;
  const bool* resets = flags & RESETS ? truths(in.next()) : nullptr;
  for (int l = 0; l < LEAVES; l++) last_bar[l] = reals(in.next());
  const ffi::AnyBuffer gradient = in.next();
  const R* y_bar = reals(gradient);
  const auto dims = gradient.dimensions();
  const int64_t S = dims[0], T = dims[1], B = dims[2];
  R *first_bar[LEAVES], *r_bar = nullptr, *z_bar = nullptr, *vector_bar = nullptr;
  for (int l = 0; l < LEAVES; l++) first_bar[l] = out.next();
  r_bar = out.next();
  if (!SAME_BARS) z_bar = out.next();
  if (NV) vector_bar = out.next();

  const size_t size = packed_size(GR, X);
  const Buffer packed = buffer(S * size);
  run_tasks(pool, S, [&](int s) {
    std::vector<int64_t> columns(X);
    for (int64_t n = 0; n < X; n++) columns[n] = n * GR;
    pack(X, {{k + s * X * GR, int(GR), 1, columns}}, packed.get() + s * size);
  });
  const int parts = chunks(pool, S, B, double(T) * B * GR * (X + 8));
  const int64_t per = chunk_rows(B, parts);
  run_tasks(pool, S * parts, [&](int task) {
    const int64_t s = task / parts, lo = task % parts * per, m = std::min(B, lo + per) - lo;
    if (m <= 0) return;
    int64_t at[LEAVES + 1] = {0};
    for (int l = 0; l < LEAVES; l++) at[l + 1] = at[l] + m * LEAF_PARTS[l] * H;
    const Buffer bars = buffer(at[LEAVES]), x_bar = buffer(X_LEAF < 0 ? m * X : 0);
    for (int l = 0; l < LEAVES; l++) {
      const int64_t n = LEAF_PARTS[l] * H;
      std::memcpy(bars.get() + at[l], last_bar[l] + (s * B + lo) * n, m * n * sizeof(R));
    }
    if (NV) std::fill_n(vector_bar + (s * B + lo) * NV, m * NV, R(0));
    auto row_of = [&](int64_t t, int64_t i) {
      const int64_t row = (s * T + t) * B + lo + i;
      Row r{};
      r.vectors = vectors + s * NV;
      r.y_bar = y_bar + row * Y;
      r.x_bar = x_bar.get() + i * X;
      r.saved = const_cast<R*>(saved) + row * SAVED_PARTS * H;
      r.r_bar = r_bar + row * GR;
      r.z_bar = SAME_BARS ? nullptr : z_bar + row * GZ;
      r.vector_bar = vector_bar + (s * B + lo + i) * NV;
      for (int l = 0; l < LEAVES; l++) {
        r.carry[l] = bars.get() + at[l] + i * LEAF_PARTS[l] * H;
        r.before[l] = const_cast<R*>(before[l]) + row * LEAF_PARTS[l] * H;
      }
      return r;
    };
    for (int64_t n = 0; n < T; n++) {
      const int64_t t = reverse ? n : T - 1 - n, first = (s * T + t) * B + lo;
      for (int64_t i = 0; i < m; i++) {
        const Row r = row_of(t, i);
        if (valid && !valid[first + i]) {
          std::fill_n(r.r_bar, GR, R(0));
          if (!SAME_BARS) std::fill_n(r.z_bar, GZ, R(0));
          continue;
        }
        over_units(H, [&](auto full, int j, int n) { step_back<decltype(full)::value>(r, j, n, H); });
      }
      const Rows from{r_bar + first * GR, size_t(GR), int(GR)}, none{from.a, 0, 0};
      const R* ks = packed.get() + s * size;
      if (X_LEAF >= 0) {
        R* c = bars.get() + at[std::max(0, X_LEAF)];
        product(m, from, none, ks, X, c, X, c, X);
      } else {
        product(m, from, none, ks, X, x_bar.get(), X, nullptr, 0);
        for (int64_t i = 0; i < m; i++) {
          if (valid && !valid[first + i]) continue;
          const Row r = row_of(t, i);
          over_units(H, [&](auto full, int j, int n) { x_back<decltype(full)::value>(r, j, n, H); });
        }
      }
      if (resets)
        for (int64_t i = 0; i < m; i++)
          if (resets[first + i])
            for (int l = 0; l < LEAVES; l++) {
              const int64_t width = LEAF_PARTS[l] * H;
              std::fill_n(bars.get() + at[l] + i * width, width, R(0));
            }
    }
    for (int l = 0; l < LEAVES; l++) {
      const int64_t n = LEAF_PARTS[l] * H;
      std::memcpy(first_bar[l] + (s * B + lo) * n, bars.get() + at[l], m * n * sizeof(R));
    }
  });
  return ffi::Error::Success();
}

XLA_FFI_DEFINE_HANDLER_SYMBOL(Forward, forward, BINDING);
XLA_FFI_DEFINE_HANDLER_SYMBOL(Backward, backward, BINDING);
