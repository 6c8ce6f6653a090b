#include "statistics.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace onnxrun::cli {

Statistics::Statistics(std::vector<double> values) : sorted_(std::move(values)) {
  std::sort(sorted_.begin(), sorted_.end());
  min = sorted_.front();
  max = sorted_.back();
  const double count = static_cast<double>(sorted_.size());
  mean = std::accumulate(sorted_.begin(), sorted_.end(), 0.0) / count;
  double squares = 0;
  for (const double value : sorted_) squares += (value - mean) * (value - mean);
  if (sorted_.size() > 1) deviation = std::sqrt(squares / (count - 1));
}

double Statistics::percentile(double percent) const {
  const double place = percent / 100 * static_cast<double>(sorted_.size() - 1);
  const size_t below = static_cast<size_t>(place);
  const size_t above = std::min(below + 1, sorted_.size() - 1);
  return sorted_[below] + (place - static_cast<double>(below)) * (sorted_[above] - sorted_[below]);
}

}  // namespace onnxrun::cli
