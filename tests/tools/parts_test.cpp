#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include <chrono>
#include <map>
#include <thread>

#include "onnxrun/error.h"
#include "process_pool.h"
#include "quantity.h"
#include "random_outputs.h"
#include "statistics.h"

namespace onnxrun::cli {
namespace {

using namespace std::chrono_literals;

TEST(Quantity, Durations) {
  EXPECT_EQ(parse_duration("200ms"), 200ms);
  EXPECT_EQ(parse_duration("1.5s"), 1500ms);
  EXPECT_EQ(parse_duration("3"), 3s);
  for (const char* text : {"", "s", "-1s", "1x", "1e300s", "nan"}) EXPECT_THROW(parse_duration(text), Error) << text;
}

TEST(Quantity, Sizes) {
  EXPECT_EQ(parse_size("4096"), 4096U);
  EXPECT_EQ(parse_size("512M"), 512U << 20);
  EXPECT_EQ(parse_size("1.5KiB"), 1536U);
  EXPECT_EQ(parse_size("2GB"), size_t{2} << 30);
  for (const char* text : {"", "M", "-1M", "1X", "1MM", "9999999T"}) EXPECT_THROW(parse_size(text), Error) << text;
}

TEST(Quantity, Numbers) {
  EXPECT_EQ(parse_number("1/255"), 1.0 / 255);
  EXPECT_EQ(parse_number("-0.5"), -0.5);
  for (const char* text : {"", "1/", "1/0", "x", "1 2", "1/2/3"}) EXPECT_THROW(parse_number(text), Error) << text;
}

TEST(Statistics, OfKnownValues) {
  const Statistics stats({4, 1, 3, 2, 5});
  EXPECT_EQ(stats.min, 1);
  EXPECT_EQ(stats.max, 5);
  EXPECT_EQ(stats.mean, 3);
  EXPECT_DOUBLE_EQ(stats.deviation * stats.deviation, 2.5);
  EXPECT_EQ(stats.percentile(50), 3);
  EXPECT_DOUBLE_EQ(stats.percentile(90), 4.6);
  EXPECT_EQ(Statistics({7}).percentile(99), 7);
}

TEST(RandomOutputs, OnlyTheListedTests) {
  EXPECT_TRUE(has_random_outputs("test_bernoulli_seed_expanded"));
  EXPECT_FALSE(has_random_outputs("test_relu"));
  EXPECT_FALSE(has_random_outputs("#"));
}

TEST(ProcessPool, OneCrashOrHangHarmsNoOther) {
  std::map<size_t, ProcessResult> results;
  run_in_processes(
      6, 3, 500ms,
      [](size_t i) {
        if (i == 1) raise(SIGKILL);
        if (i == 2) std::this_thread::sleep_for(1min);
        if (i == 3) _exit(9);
        return "result " + std::to_string(i);
      },
      [&](size_t i, const ProcessResult& result) { results[i] = result; });
  ASSERT_EQ(results.size(), 6U);
  EXPECT_EQ(results[1].end, ProcessResult::End::crashed);
  EXPECT_EQ(results[2].end, ProcessResult::End::timed_out);
  EXPECT_EQ(results[3].end, ProcessResult::End::crashed);
  for (const size_t i : {0, 4, 5}) {
    EXPECT_EQ(results[i].end, ProcessResult::End::returned);
    EXPECT_EQ(results[i].text, "result " + std::to_string(i));
  }
}

}  // namespace
}  // namespace onnxrun::cli
