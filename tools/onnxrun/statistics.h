#pragma once

#include <vector>

namespace onnxrun::cli {

// Of a set of measurements, which must not be empty. Percentiles are interpolated between neighbours.
struct Statistics {
  explicit Statistics(std::vector<double> values);

  double percentile(double percent) const;

  double min = 0;
  double max = 0;
  double mean = 0;
  double deviation = 0;  // of the sample; 0 for one value

 private:
  std::vector<double> sorted_;
};

}  // namespace onnxrun::cli
