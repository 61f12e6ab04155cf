// What all native loops need: vectors and their functions, buffers, tasks, and the arrays of a call of XLA's CPU runtime.
//
// Arrays are row-major: inputs [S, T, B, D], params [S, ...], carries [S, B, n]; S are independent loops side by side.
#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <memory>
#include <thread>
#include <vector>

#ifdef __linux__
#include <sched.h>
#endif

#include "xla/ffi/api/ffi.h"

namespace ffi = xla::ffi;

// ---------------------------------------------------------------------------------------------------------- vectors

#ifdef RNN_DOUBLE
using R = double;
using I = int64_t;
#else
using R = float;
using I = int32_t;
#endif
#if defined(__AVX512F__)
#include <immintrin.h>
constexpr int BYTES = 64, WIDE = 3, HIGH = 8;
#elif defined(__AVX__)
constexpr int BYTES = 32, WIDE = 2, HIGH = 6;
#elif defined(__aarch64__)
constexpr int BYTES = 16, WIDE = 3, HIGH = 8;
#else
constexpr int BYTES = 16, WIDE = 2, HIGH = 6;
#endif
constexpr int VW = BYTES / sizeof(R);  // numbers in a vector
typedef R V __attribute__((vector_size(BYTES)));
typedef I M __attribute__((vector_size(BYTES)));
#define INLINE static inline __attribute__((always_inline))

INLINE V broadcast(R x) { return V{} + x; }
INLINE V whole(const R* p) { V v; std::memcpy(&v, p, sizeof v); return v; }
template <bool FULL> INLINE V load(const R* p, int n) {
  if (FULL) return whole(p);
  V v{};
  std::memcpy(&v, p, n * sizeof(R));
  return v;
}
template <bool FULL> INLINE void store(R* p, V v, int n) { std::memcpy(p, &v, FULL ? sizeof v : n * sizeof(R)); }
INLINE M bits(V v) { M m; std::memcpy(&m, &v, sizeof m); return m; }
INLINE V from_bits(M m) { V v; std::memcpy(&v, &m, sizeof v); return v; }
template <class F> INLINE V each(V x, F f) { for (int i = 0; i < VW; i++) x[i] = f(x[i]); return x; }

INLINE V max_(V a, V b) { return ((a > b) | (a != a)) ? a : b; }
INLINE V min_(V a, V b) { return ((a < b) | (a != a)) ? a : b; }
INLINE V abs_(V a) { return a < broadcast(0) ? -a : a + broadcast(0); }
INLINE V sign_(V a) { return a > broadcast(0) ? broadcast(1) : (a < broadcast(0) ? broadcast(-1) : a); }
INLINE M finite_(V a) { return (a - a) == broadcast(0); }
INLINE V sqrt_(V a) { return each(a, [](R x) { return std::sqrt(x); }); }
INLINE V sin_(V a) { return each(a, [](R x) { return std::sin(x); }); }
INLINE V cos_(V a) { return each(a, [](R x) { return std::cos(x); }); }
INLINE V floor_(V a) { return each(a, [](R x) { return std::floor(x); }); }
#ifdef RNN_DOUBLE
INLINE V tanh_(V a) { return each(a, [](R x) { return std::tanh(x); }); }
INLINE V exp_(V a) { return each(a, [](R x) { return std::exp(x); }); }
INLINE V expm1_(V a) { return each(a, [](R x) { return std::expm1(x); }); }
INLINE V log_(V a) { return each(a, [](R x) { return std::log(x); }); }
INLINE V log1p_(V a) { return each(a, [](R x) { return std::log1p(x); }); }
#else
// tanh as a quotient of polynomials in x^2 up to where it is one; off by at most 3 units in the last place.
INLINE V tanh_(V x) {
  const V top = broadcast(7.90531110763549805f), all = broadcast(9.01091385f), one = broadcast(1), whole = x;
  x = x > top ? top : (x < -top ? -top : x);
  const V s = x * x;
  V p = broadcast(-2.76076847742355e-16f);
  p = p * s + broadcast(2.00018790482477e-13f);
  p = p * s + broadcast(-8.60467152213735e-11f);
  p = p * s + broadcast(5.12229709037114e-08f);
  p = p * s + broadcast(1.48572235717979e-05f);
  p = p * s + broadcast(6.37261928875436e-04f);
  p = p * s + broadcast(4.89352455891786e-03f);
  V q = broadcast(1.19825839466702e-06f);
  q = q * s + broadcast(1.18534705686654e-04f);
  q = q * s + broadcast(2.26843463243900e-03f);
  q = q * s + broadcast(4.89352518554385e-03f);
#if defined(__AVX512F__)
  // 1 / q to 14 bits, and one step of Newton's method: a third of the time of a division, and as right.
  V y = (V)_mm512_rcp14_ps((__m512)q);
  y = y * (broadcast(2) - q * y);
  const V t = x * p * y;
#else
  const V t = x * p / q;
#endif
  return whole > all ? one : (whole < -all ? -one : t);  // so that 1 - tanh(x) is nothing where it is
}
// exp(x) = 2^n exp(r) with |r| <= log(2) / 2: the power n, and exp(r) - 1.
struct Power { M n; V rest; };
INLINE Power power(V x) {
  const V shift = broadcast(12582912.f);  // 1.5 * 2^23: adding it rounds to a whole number
  V y = x > broadcast(89.f) ? broadcast(89.f) : (x < broadcast(-104.f) ? broadcast(-104.f) : x);
  const V t = y * broadcast(1.44269504088896341f) + shift;
  const M n = bits(t) - bits(shift);
  const V w = t - shift;
  y = y - w * broadcast(0.693359375f) - w * broadcast(-2.12194440e-4f);
  V p = broadcast(1.9875691500e-4f);
  p = p * y + broadcast(1.3981999507e-3f);
  p = p * y + broadcast(8.3334519073e-3f);
  p = p * y + broadcast(4.1665795894e-2f);
  p = p * y + broadcast(1.6666665459e-1f);
  p = p * y + broadcast(5.0000001201e-1f);
  return {n, p * y * y + y};
}
INLINE V two_to(M n) { return from_bits((n + 127) << 23); }
INLINE V exp_(V x) {
  const Power e = power(x);
  const M half = e.n >> 1;  // 2^n in two factors: neither overflows before the result does
  return (e.rest + broadcast(1)) * two_to(half) * two_to(e.n - half);
}
INLINE V expm1_(V x) {
  const Power e = power(x);
  const M n = e.n > 127 ? M{} + 127 : (e.n < -126 ? M{} - 126 : e.n);  // a smaller power leaves nothing beside 1
  const V two = two_to(n), small = e.rest * two + (two - broadcast(1));
  return x > broadcast(88) ? exp_(x) : small;
}
// log(x) = e log(2) + log(m) with m in [sqrt(1/2), sqrt(2)).
INLINE V log_(V x) {
  const V tiny = broadcast(1.17549435e-38f), up = x < tiny ? x * broadcast(8388608.f) : x;
  M e = ((bits(up) >> 23) & 255) - 126;
  V m = from_bits((bits(up) & 0x007fffff) | 0x3f000000);
  const M low = m < broadcast(0.707106781186547524f);
  e = (low ? e - 1 : e) - (x < tiny ? M{} + 23 : M{});
  const V f = (low ? m + m : m) - broadcast(1), s = f * f;
  V p = broadcast(7.0376836292e-2f);
  p = p * f + broadcast(-1.1514610310e-1f);
  p = p * f + broadcast(1.1676998740e-1f);
  p = p * f + broadcast(-1.2420140846e-1f);
  p = p * f + broadcast(1.4249322787e-1f);
  p = p * f + broadcast(-1.6668057665e-1f);
  p = p * f + broadcast(2.0000714765e-1f);
  p = p * f + broadcast(-2.4999993993e-1f);
  p = p * f + broadcast(3.3333331174e-1f);
  const V n = __builtin_convertvector(e, V);
  const V y = f + (f * s * p + n * broadcast(-2.12194440e-4f) - broadcast(0.5f) * s) + n * broadcast(0.693359375f);
  const V inf = broadcast(std::numeric_limits<R>::infinity()), nan = broadcast(std::numeric_limits<R>::quiet_NaN());
  return x > broadcast(0) ? (x == inf ? inf : y) : (x == broadcast(0) ? -inf : (x < broadcast(0) ? nan : x));
}
// What 1 + x loses is made good (Goldberg 1991, theorem 4).
INLINE V log1p_(V x) {
  const V u = broadcast(1) + x, d = u - broadcast(1);
  const M exact = (d == broadcast(0)) | (u == broadcast(std::numeric_limits<R>::infinity()));
  return d == broadcast(0) ? x : (exact ? u : log_(u) * (x / d));
}
#endif
INLINE V logistic_(V x) { return broadcast(1) / (broadcast(1) + exp_(-x)); }  // to the last bits of small ones, too

// ------------------------------------------------------------------------------------------------ buffers, tasks

struct Free { void operator()(void* p) const { std::free(p); } };
template <class E> using Array = std::unique_ptr<E[], Free>;
template <class E> static Array<E> array(size_t n) {
  return Array<E>(static_cast<E*>(std::aligned_alloc(64, (n * sizeof(E) + 127) / 64 * 64)));
}
using Buffer = Array<R>;
static Buffer buffer(size_t n) { return array<R>(n); }

// Of a thread that wakes another the kernel may put that on the same processor, and take milliseconds to see that others
// are idle. So whoever shares a processor goes to another one; what a thread may run on is afterwards as before.
static int processor() {
#ifdef __linux__
  return sched_getcpu();
#else
  return -1;
#endif
}
static void leave_processor() {
#ifdef __linux__
  cpu_set_t allowed, others;
  const int here = processor();
  if (here < 0 || sched_getaffinity(0, sizeof allowed, &allowed) || CPU_COUNT(&allowed) < 2) return;
  others = allowed;
  CPU_CLR(here, &others);
  if (!sched_setaffinity(0, sizeof others, &others)) sched_setaffinity(0, sizeof allowed, &allowed);
#endif
}

// f(0), ..., f(count - 1) on the threads of the pool and on this one. Whoever is free takes the next task, this thread
// too, which so never waits for one that has not begun: a pool that is busy elsewhere cannot stop it.
template <class F> static void run_tasks(ffi::ThreadPool pool, int count, F f) {
  struct State {
    F f;
    int count;
    std::atomic<int> next{0}, done{0};
    std::atomic<bool> helped{false};
    std::atomic<int> first{processor()};
    void work() {
      for (int i; (i = next.fetch_add(1)) < count;) {
        f(i);
        done.fetch_add(1, std::memory_order_release);
      }
    }
  };
  std::shared_ptr<State> state(new State{f, count});
  const int helpers = std::min<int>(count, pool.num_threads()) - 1;
  for (int i = 0; i < helpers; i++)
    pool.Schedule([state] {
      state->helped.store(true, std::memory_order_relaxed);
      if (processor() == state->first.load()) leave_processor();
      state->work();
    });
  if (helpers > 0) {
    using clock = std::chrono::steady_clock;
    for (auto end = clock::now() + std::chrono::microseconds(40); !state->helped.load(std::memory_order_relaxed);)
      if (clock::now() > end) {
        state->first.store(-2);
        leave_processor();  // a thread that was woken waits for this one
        break;
      }
  }
  state->work();
  while (state->done.load(std::memory_order_acquire) < count) std::this_thread::yield();
}

// --------------------------------------------------------------------------------------------- the arrays of a call

enum Flags { HOISTED = 1, VALID = 2, RESETS = 4, REVERSE = 8, SAVE = 16 };

static const R* reals(const ffi::AnyBuffer& b) { return static_cast<const R*>(b.untyped_data()); }
static const bool* truths(const ffi::AnyBuffer& b) { return static_cast<const bool*>(b.untyped_data()); }

struct Arguments {
  ffi::RemainingArgs& args;
  size_t at = 0;
  ffi::AnyBuffer next() { return *args.get<ffi::AnyBuffer>(at++); }
};
struct Results {
  ffi::RemainingRets& rets;
  size_t at = 0;
  R* next() { return static_cast<R*>((*rets.get<ffi::AnyBuffer>(at++))->untyped_data()); }
};

#define BINDING ffi::Ffi::Bind().Ctx<ffi::ThreadPool>().Attr<int64_t>("flags").Attr<int64_t>("units") \
                    .RemainingArgs().RemainingRets()
