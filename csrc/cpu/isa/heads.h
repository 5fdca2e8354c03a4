// What stands on the last layer: the Gaussian of the dynamics, the squashed Gaussian of the policy.
//
// Loops run over the rows of a tile, one feature at a time, and vectorise as they stand.
#pragma once

namespace mbpo::MBPO_ISA {

// logvar = min(low + softplus(u - low), high) with u = high - softplus(high - raw).
template <typename T>
void head(const GaussianHead<T>& head, T* z) {
  for (int64_t j = 0; j < head.outputs; ++j) {
    const T low = head.minimum[j], high = head.maximum[j];
    T* raw = z + (head.outputs + j) * kTileRows;
    for (int64_t r = 0; r < kTileRows; ++r) {
      const T upper = high - softplus(high - raw[r]);
      const T both = low + softplus(upper - low);
      raw[r] = both > high ? high : both;
    }
  }
}

template <typename T>
void head_backward(const GaussianHead<T>& head, const T* z, const T* grad, T* dz, double* dbounds) {
  const int64_t width = head.outputs;
  std::copy_n(grad, width * kTileRows, dz);
  for (int64_t j = 0; j < width; ++j) {
    const T low = head.minimum[j], high = head.maximum[j];
    const int64_t at = (width + j) * kTileRows;
    T to_low[kTileRows], to_high[kTileRows];
    for (int64_t r = 0; r < kTileRows; ++r) {
      const T raw = z[at + r], g = grad[at + r];
      const T upper = high - softplus(high - raw);
      const bool clamped = low + softplus(upper - low) > high;
      const T through = clamped ? T(0) : g * sigmoid(upper - low);
      dz[at + r] = through * sigmoid(high - raw);
      to_high[r] = clamped ? g : through * sigmoid(raw - high);
      to_low[r] = clamped ? T(0) : g * sigmoid(low - upper);
    }
    for (int64_t r = 0; r < kTileRows; ++r) {
      dbounds[j] += to_low[r];
      dbounds[width + j] += to_high[r];
    }
  }
}

template <typename T>
double nll(int64_t outputs, int64_t count, T scale, const T* head, const T* target, T* grad) {
  double loss = 0;
  for (int64_t j = 0; j < outputs; ++j) {
    const T* mean = head + j * kTileRows;
    const T* logvar = head + (outputs + j) * kTileRows;
    const T* truth = target + j * kTileRows;
    T* to_mean = grad + j * kTileRows;
    T* to_logvar = grad + (outputs + j) * kTileRows;
    T terms[kTileRows];
    for (int64_t r = 0; r < kTileRows; ++r) {
      const bool inside = r < count;
      const T error = mean[r] - truth[r], precision = exp_of(-logvar[r]);
      const T weighted = error * error * precision;
      terms[r] = inside ? weighted + logvar[r] : T(0);
      to_mean[r] = inside ? scale * 2 * error * precision : T(0);
      to_logvar[r] = inside ? scale * (1 - weighted) : T(0);
    }
    for (int64_t r = 0; r < kTileRows; ++r) loss += terms[r];
  }
  return loss;
}

template <typename T>
MBPO_INLINE T clamped(T x, T low, T high) {
  return x < low ? low : x > high ? high : x;
}

// log N(z; mean, std) - sum log |da/dz| with a = center + scale tanh(z), z = mean + std noise.
template <typename T>
void sample(const PolicySample<T>& job) {
  constexpr T half_log_two_pi = T(0.918938533204672742), log_two = T(0.693147180559945309);
  std::fill_n(job.log_prob, kTileRows, T(0));
  for (int64_t j = 0; j < job.actions; ++j) {
    const T* mean = job.raw + j * kTileRows;
    const T* raw_std = job.raw + (job.actions + j) * kTileRows;
    const T* noise = job.noise + j * kTileRows;
    T* action = job.action + j * kTileRows;
    const T center = job.center[j], scale = job.scale[j];
    const T log_scale = std::log(scale);
    for (int64_t r = 0; r < kTileRows; ++r) {
      const T log_std = clamped(raw_std[r], job.log_std_min, job.log_std_max);
      const T z = mean[r] + exp_of(log_std) * noise[r];
      const T gaussian = T(-0.5) * noise[r] * noise[r] - log_std - half_log_two_pi;
      job.log_prob[r] += gaussian - (log_scale + 2 * (log_two - z - softplus(-2 * z)));
      action[r] = center + scale * tanh_of(z);
    }
  }
}

// d log_prob / dz = 2 tanh(z) at fixed noise, and -1 for log_std beside its way through z.
template <typename T>
void sample_backward(const PolicySample<T>& job, const T* daction, T dlog_prob, T* draw) {
  for (int64_t j = 0; j < job.actions; ++j) {
    const T* mean = job.raw + j * kTileRows;
    const T* raw_std = job.raw + (job.actions + j) * kTileRows;
    const T* noise = job.noise + j * kTileRows;
    const T* da = daction + j * kTileRows;
    T* dmean = draw + j * kTileRows;
    T* dlog_std = draw + (job.actions + j) * kTileRows;
    for (int64_t r = 0; r < kTileRows; ++r) {
      const T raw = raw_std[r];
      const T log_std = clamped(raw, job.log_std_min, job.log_std_max);
      const T spread = exp_of(log_std) * noise[r];
      const T squashed = tanh_of(mean[r] + spread);
      const T dz = da[r] * job.scale[j] * (1 - squashed * squashed) + dlog_prob * 2 * squashed;
      dmean[r] = dz;
      const bool free = raw >= job.log_std_min && raw <= job.log_std_max;
      dlog_std[r] = free ? dz * spread - dlog_prob : T(0);
    }
  }
}

// The bits of a number without its sign, which order sizes as the numbers do; NaN and infinity have
// all bits of the exponent set. Of integers, so that the compiler can take a maximum over lanes.
template <typename T>
using Size = std::conditional_t<sizeof(T) == 4, uint32_t, uint64_t>;

template <typename T>
MBPO_INLINE Size<T> size_of(T x) {
  Size<T> bits;
  __builtin_memcpy(&bits, &x, sizeof bits);
  return bits & static_cast<Size<T>>(-1) >> 1;
}

template <typename T>
MBPO_INLINE T number_of(Size<T> bits) {
  T x;
  __builtin_memcpy(&x, &bits, sizeof x);
  return x;
}

// std::max returns a reference, with which loops do not vectorise.
template <typename B>
MBPO_INLINE B larger(B a, B b) {
  return a > b ? a : b;
}

// Places that do not overlap: only of parameters does the compiler believe it.
template <bool Keep, typename T>
MBPO_INLINE AdamSizes<T> adam_on(const AdamRange<T>& job, const T* __restrict__ gradient,
                                 T* __restrict__ p, T* __restrict__ m, T* __restrict__ v,
                                 T* __restrict__ old_p, T* __restrict__ old_m,
                                 T* __restrict__ old_v) {
  const AdamRange<T> k = job;
  Size<T> weight = 0, second_moment = 0;
  for (int64_t i = 0; i < k.n; ++i) {
    if constexpr (Keep) {
      old_p[i] = p[i];
      old_m[i] = m[i];
      old_v[i] = v[i];
    }
    const T g = gradient[i] + k.decay * p[i];
    m[i] = k.beta1 * m[i] + (1 - k.beta1) * g;
    v[i] = k.beta2 * v[i] + (1 - k.beta2) * g * g;
    p[i] -= k.step_size * m[i] / (std::sqrt(v[i]) * k.root_correction + k.epsilon);
    weight = larger(weight, size_of(p[i]));
    second_moment = larger(second_moment, size_of(v[i]));
  }
  return {number_of<T>(weight), number_of<T>(second_moment)};
}

template <typename T>
AdamSizes<T> adam(const AdamRange<T>& job) {
  T *before = job.before, *p = job.parameter, *m = job.moment, *v = job.second_moment;
  T* const none = nullptr;
  if (!before) return adam_on<false>(job, job.gradient, p, m, v, none, none, none);
  return adam_on<true>(job, job.gradient, p, m, v, before, before + job.apart,
                       before + 2 * job.apart);
}

template <bool Keep, typename T>
MBPO_INLINE T follow_on(const TargetRange<T>& job, const T* __restrict__ p, T* __restrict__ target,
                        T* __restrict__ before) {
  Size<T> largest = 0;
  for (int64_t i = 0; i < job.n; ++i) {
    if constexpr (Keep) before[i] = target[i];
    target[i] += job.tau * (p[i] - target[i]);
    largest = larger(largest, size_of(target[i]));
  }
  return number_of<T>(largest);
}

template <typename T>
T follow(const TargetRange<T>& job) {
  T* const none = nullptr;
  if (!job.before) return follow_on<false>(job, job.parameter, job.target, none);
  return follow_on<true>(job, job.parameter, job.target, job.before);
}

template <typename T>
T largest(const T* numbers, int64_t n) {
  Size<T> result = 0;
  for (int64_t i = 0; i < n; ++i) result = larger(result, size_of(numbers[i]));
  return number_of<T>(result);
}

}  // namespace mbpo::MBPO_ISA
