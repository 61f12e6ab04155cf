// The loop of a cell without a product: every unit goes through time by itself. A tile of steps is done for one vector of
// units before the next, so that its state, and what the way back works out again, stay in the nearest memory. Of the
// carries only the first of each tile is kept.
@CONSTANTS@

struct Row {
  const R *z, *y_bar, *scalars;  // parts lie `stride` apart
  R *y, *z_bar;
  int64_t stride;
  V *before, *saved, *totals;
  M there;  // true in the lanes of units that there are
};
@GENERATED@

using Vectors = Array<V>;
static Vectors vectors_of(size_t n) {
  Vectors zeros = array<V>(n);
  std::fill_n(zeros.get(), n, V{});
  return zeros;
}

// Parts of one vector of units, from and to arrays whose parts lie `stride` apart.
INLINE void gather(V* to, const R* from, int parts, int64_t stride, int n) {
  for (int p = 0; p < parts; p++) to[p] = n == VW ? whole(from + p * stride) : load<false>(from + p * stride, n);
}
INLINE void scatter(R* to, const V* from, int parts, int64_t stride, int n) {
  for (int p = 0; p < parts; p++) std::memcpy(to + p * stride, from + p, n * sizeof(R));
}

// What both ways have: sizes, arrays, and where the leaves of a carry begin among its parts.
struct Loop {
  int64_t S, T, B, H, flags;
  const R *z, *vectors, *start[LEAVES];
  const bool *valid, *resets;
  static constexpr int at(int leaf) { return leaf ? at(leaf - 1) + LEAF_PARTS[leaf - 1] : 0; }
  int64_t chunks() const { return (H + VW - 1) / VW; }
  int lanes(int64_t chunk) const { return std::min<int64_t>(VW, H - chunk * VW); }
  int64_t tiles() const { return (T + TILE - 1) / TILE; }
  int64_t width() const { return Z_PARTS * H + SCALARS; }
  int64_t row(int64_t s, int64_t n, int64_t b) const { return (s * T + (flags & REVERSE ? T - 1 - n : n)) * B + b; }
  // A carry [S, B, n], or that of a tile, of one vector of units.
  void read(V* to, const R* const* leaves, int64_t row, int64_t j, int n) const {
    for (int l = 0; l < LEAVES; l++) gather(to + at(l), leaves[l] + row * LEAF_PARTS[l] * H + j, LEAF_PARTS[l], H, n);
  }
  void write(R* const* leaves, const V* from, int64_t row, int64_t j, int n) const {
    for (int l = 0; l < LEAVES; l++) scatter(leaves[l] + row * LEAF_PARTS[l] * H + j, from + at(l), LEAF_PARTS[l], H, n);
  }
};

// What a row has for some vectors of its units: a carry, or its gradient, the carry at a reset, and the params.
struct Columns {
  Vectors states, starts, params;
  Columns(const Loop& g, const R* const* carry, int64_t s, int64_t b, int64_t first, int64_t count)
      : states(vectors_of(count * CARRY_PARTS)), starts(vectors_of(count * CARRY_PARTS)),
        params(vectors_of(count * VECTOR_PARTS)) {
    const R* vectors = g.vectors + s * VECTOR_PARTS * g.H;
    for (int64_t i = 0; i < count; i++) {
      const int64_t j = (first + i) * VW;
      const int n = g.lanes(first + i);
      g.read(&states[i * CARRY_PARTS], carry, s * g.B + b, j, n);
      if (g.resets) g.read(&starts[i * CARRY_PARTS], g.start, s * g.B + b, j, n);
      if (VECTOR_PARTS) gather(&params[i * VECTOR_PARTS], vectors + j, VECTOR_PARTS, g.H, n);
    }
  }
};

// The rows of a tile lie far apart: no processor foresees the next one. `write` is 1 for those that will be written.
template <int write> static void fetch(const Loop& g, const R* array, int64_t width, int64_t s, int64_t tile, int64_t b) {
  if (tile < 0 || tile >= g.tiles()) return;
  for (int64_t t = tile * TILE; t < std::min(g.T, (tile + 1) * TILE); t++) {
    const char* row = reinterpret_cast<const char*>(array + g.row(s, t, b) * width);
    for (size_t at = 0; at < width * sizeof(R); at += 64) __builtin_prefetch(row + at, write, 2);
  }
}

// f(s, b, first chunk, last chunk, which part of the units) for all rows. Few rows are cut into parts of their units, by
// the sizes alone: what is added up is added up in the same order on any machine.
static int unit_parts(const Loop& g) { return g.S * g.B < 4 ? std::min<int64_t>(4, g.chunks()) : 1; }
template <class F> static void over_rows(ffi::ThreadPool pool, const Loop& g, F f) {
  const int parts = unit_parts(g);
  const int64_t jobs = g.S * g.B * parts, per = (g.chunks() + parts - 1) / parts;
  const bool small = double(g.T) * g.S * g.B * g.chunks() * (CARRY_PARTS + Z_PARTS) < 2e4;
  const int tasks = small ? 1 : std::min<int64_t>(jobs, 16 * pool.num_threads());
  run_tasks(pool, tasks, [&](int task) {
    for (int64_t job = jobs * task / tasks; job < jobs * (task + 1) / tasks; job++) {
      const int64_t first = job % parts * per, row = job / parts;
      f(row / g.B, row % g.B, first, std::min(g.chunks(), first + per), job % parts);
    }
  });
}

static ffi::Error forward(ffi::ThreadPool pool, int64_t flags, int64_t units, ffi::RemainingArgs args,
                          ffi::RemainingRets rets) {
  Arguments in{args};
  Results out{rets};
  const ffi::AnyBuffer input = in.next();
  const auto dims = input.dimensions();
  Loop g{dims[0], dims[1], dims[2], units, flags, reals(input)};
  if (VECTOR_PARTS) g.vectors = reals(in.next());
  const R* carry[LEAVES];
  for (int l = 0; l < LEAVES; l++) carry[l] = reals(in.next());
  if (flags & RESETS) for (int l = 0; l < LEAVES; l++) g.start[l] = reals(in.next());
  if (flags & VALID) g.valid = truths(in.next());
  if (flags & RESETS) g.resets = truths(in.next());
  R *last[LEAVES], *kept[LEAVES] = {};
  for (int l = 0; l < LEAVES; l++) last[l] = out.next();
  R* ys = out.next();
  if (flags & SAVE) for (int l = 0; l < LEAVES; l++) kept[l] = out.next();

  over_rows(pool, g, [&](int64_t s, int64_t b, int64_t first, int64_t end, int) {
    const int64_t H = g.H, count = end - first;
    if (count <= 0) return;
    const Columns columns(g, carry, s, b, first, count);
    const auto &[states, starts, params] = columns;
    auto lanes = [&](int64_t i) { return g.lanes(first + i); };
    for (int64_t tile = 0; tile < g.tiles(); tile++) {
      fetch<0>(g, g.z, g.width(), s, tile + 1, b);
      fetch<1>(g, ys, Y_PARTS * H, s, tile + 1, b);
      for (int64_t i = 0; i < count; i++) {
        const int64_t j = (first + i) * VW;
        const int n = lanes(i);
        V c[CARRY_PARTS], v[VECTOR_PARTS + 1], z_part[Z_PARTS + 1], y_part[Y_PARTS];
        std::copy_n(&states[i * CARRY_PARTS], CARRY_PARTS, c);
        if (VECTOR_PARTS) std::copy_n(&params[i * VECTOR_PARTS], VECTOR_PARTS, v);
        if (flags & SAVE) g.write(kept, c, (s * g.tiles() + tile) * g.B + b, j, n);
        for (int64_t t = tile * TILE; t < std::min(g.T, (tile + 1) * TILE); t++) {
          const int64_t row = g.row(s, t, b);
          R* y = ys + row * Y_PARTS * H + j;
          if (g.resets && g.resets[row]) std::copy_n(&starts[i * CARRY_PARTS], CARRY_PARTS, c);
          if (g.valid && !g.valid[row]) {
            for (int p = 0; p < Y_PARTS; p++) std::fill_n(y + p * H, n, R(0));
            continue;
          }
          Row r{};
          r.z = g.z + row * g.width() + j, r.scalars = g.z + row * g.width() + Z_PARTS * H, r.y = y, r.stride = H;
          if (n < VW) {
            gather(z_part, r.z, Z_PARTS, H, n);
            r.z = reinterpret_cast<R*>(z_part), r.y = reinterpret_cast<R*>(y_part), r.stride = VW;
          }
          step<false>(r, c, v);
          if (n < VW) scatter(y, y_part, Y_PARTS, H, n);
        }
        std::copy_n(c, CARRY_PARTS, &states[i * CARRY_PARTS]);
      }
    }
    for (int64_t i = 0; i < count; i++)
      g.write(last, &states[i * CARRY_PARTS], s * g.B + b, (first + i) * VW, lanes(i));
  });
  return ffi::Error::Success();
}

static ffi::Error backward(ffi::ThreadPool pool, int64_t flags, int64_t units, ffi::RemainingArgs args,
                           ffi::RemainingRets rets) {
  Arguments in{args};
  Results out{rets};
  const ffi::AnyBuffer input = in.next();
  const auto dims = input.dimensions();
  Loop g{dims[0], dims[1], dims[2], units, flags, reals(input)};
  if (VECTOR_PARTS) g.vectors = reals(in.next());
  const R *kept[LEAVES], *last_bar[LEAVES];
  for (int l = 0; l < LEAVES; l++) kept[l] = reals(in.next());
  if (flags & RESETS) for (int l = 0; l < LEAVES; l++) g.start[l] = reals(in.next());
  if (flags & VALID) g.valid = truths(in.next());
  if (flags & RESETS) g.resets = truths(in.next());
  for (int l = 0; l < LEAVES; l++) last_bar[l] = reals(in.next());
  const R* y_bar = reals(in.next());
  R* first_bar[LEAVES];
  for (int l = 0; l < LEAVES; l++) first_bar[l] = out.next();
  R* z_bar = out.next();
  R* vector_bar = VECTOR_PARTS ? out.next() : nullptr;

  // Sums over the units, of each part of them.
  const int parts = unit_parts(g);
  std::vector<R> sums(parts > 1 ? parts * g.S * g.T * g.B * SCALARS : 0);

  over_rows(pool, g, [&](int64_t s, int64_t b, int64_t first, int64_t end, int part) {
    const int64_t H = g.H, count = end - first;
    if (count <= 0) return;
    const Columns columns(g, last_bar, s, b, first, count);
    const auto &[states, starts, params] = columns;
    auto lanes = [&](int64_t i) { return g.lanes(first + i); };
    const Vectors params_bar = vectors_of(count * VECTOR_PARTS), totals = vectors_of(TILE * SCALARS);
    const Vectors before = vectors_of(TILE * CARRY_PARTS), saved = vectors_of(TILE * SAVED_PARTS);
    for (int64_t tile = g.tiles() - 1; tile >= 0; tile--) {
      const int64_t begin = tile * TILE, steps = std::min(g.T, begin + TILE) - begin;
      fetch<0>(g, g.z, g.width(), s, tile - 1, b);
      fetch<0>(g, y_bar, Y_PARTS * H, s, tile - 1, b);
      fetch<1>(g, z_bar, g.width(), s, tile - 1, b);
      std::fill_n(totals.get(), TILE * SCALARS, V{});
      for (int64_t i = 0; i < count; i++) {
        const int64_t j = (first + i) * VW;
        const int n = lanes(i);
        V c[CARRY_PARTS], v[VECTOR_PARTS + 1], v_bar[VECTOR_PARTS + 1];
        V z_part[Z_PARTS + 1], y_part[Y_PARTS], z_bar_part[Z_PARTS + 1];
        if (VECTOR_PARTS) std::copy_n(&params[i * VECTOR_PARTS], VECTOR_PARTS, v);
        Row r{};
        for (int lane = 0; lane < n; lane++) r.there[lane] = -1;
        auto at = [&](int64_t k) {
          const int64_t row = g.row(s, begin + k, b);
          r.z = g.z + row * g.width() + j, r.scalars = g.z + row * g.width() + Z_PARTS * H, r.stride = H;
          r.y_bar = y_bar + row * Y_PARTS * H + j, r.z_bar = z_bar + row * g.width() + j;
          r.before = &before[k * CARRY_PARTS], r.saved = saved.get() + k * SAVED_PARTS, r.totals = totals.get() + k * SCALARS;
          if (n < VW) {
            gather(z_part, r.z, Z_PARTS, H, n);
            gather(y_part, r.y_bar, Y_PARTS, H, n);
            r.z = reinterpret_cast<R*>(z_part), r.y_bar = reinterpret_cast<R*>(y_part);
            r.z_bar = reinterpret_cast<R*>(z_bar_part), r.stride = VW;
          }
          return row;
        };
        g.read(c, kept, (s * g.tiles() + tile) * g.B + b, j, n);
        for (int64_t k = 0; k < steps; k++) {
          const int64_t row = at(k);
          if (g.resets && g.resets[row]) std::copy_n(&starts[i * CARRY_PARTS], CARRY_PARTS, c);
          if (!g.valid || g.valid[row]) step<true>(r, c, v);
        }
        std::copy_n(&states[i * CARRY_PARTS], CARRY_PARTS, c);
        if (VECTOR_PARTS) std::copy_n(&params_bar[i * VECTOR_PARTS], VECTOR_PARTS, v_bar);
        for (int64_t k = steps - 1; k >= 0; k--) {
          const int64_t row = at(k);
          R* to = z_bar + row * g.width() + j;
          if (g.valid && !g.valid[row]) {
            for (int p = 0; p < Z_PARTS; p++) std::fill_n(to + p * H, n, R(0));
            continue;
          }
          step_back(r, c, v, v_bar);
          if (n < VW) scatter(to, z_bar_part, Z_PARTS, H, n);
          if (g.resets && g.resets[row]) std::fill_n(c, CARRY_PARTS, V{});
        }
        std::copy_n(c, CARRY_PARTS, &states[i * CARRY_PARTS]);
        if (VECTOR_PARTS) std::copy_n(v_bar, VECTOR_PARTS, &params_bar[i * VECTOR_PARTS]);
      }
      for (int64_t k = 0; SCALARS && k < steps; k++) {
        const int64_t row = g.row(s, begin + k, b);
        R* to = parts > 1 ? sums.data() + (part * g.S * g.T * g.B + row) * SCALARS : z_bar + row * g.width() + Z_PARTS * H;
        for (int p = 0; p < SCALARS; p++) {
          R sum = 0;
          for (int lane = 0; lane < VW; lane++) sum += totals[k * SCALARS + p][lane];
          to[p] = sum;
        }
      }
    }
    for (int64_t i = 0; i < count; i++) {
      const int64_t j = (first + i) * VW;
      g.write(first_bar, &states[i * CARRY_PARTS], s * g.B + b, j, lanes(i));
      if (VECTOR_PARTS)
        scatter(vector_bar + (s * g.B + b) * VECTOR_PARTS * H + j, &params_bar[i * VECTOR_PARTS], VECTOR_PARTS, H, lanes(i));
    }
  });
  for (int64_t row = 0; parts > 1 && row < g.S * g.T * g.B; row++)
    for (int p = 0; p < SCALARS; p++) {
      R sum = 0;
      for (int part = 0; part < parts; part++) sum += sums[(part * g.S * g.T * g.B + row) * SCALARS + p];
      z_bar[row * g.width() + Z_PARTS * g.H + p] = sum;
    }
  return ffi::Error::Success();
}

XLA_FFI_DEFINE_HANDLER_SYMBOL(Forward, forward, BINDING);
XLA_FFI_DEFINE_HANDLER_SYMBOL(Backward, backward, BINDING);
