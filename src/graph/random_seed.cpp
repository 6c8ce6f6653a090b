#include "graph/random_seed.h"

#include <algorithm>
#include <array>
#include <bit>
#include <string_view>

namespace onnxrun {
namespace {

constexpr int64_t kDropoutWithSeed = 12;

enum class SeedKind : uint8_t { none, real, integer };

SeedKind seed_kind(const Node& node) {
  static constexpr std::array<std::string_view, 6> kReal = {"RandomNormal",  "RandomNormalLike",  "Bernoulli",
                                                            "RandomUniform", "RandomUniformLike", "Multinomial"};
  if (!node.domain.empty()) return SeedKind::none;
  if (node.op_type == "Dropout") return node.opset >= kDropoutWithSeed ? SeedKind::integer : SeedKind::none;
  return std::find(kReal.begin(), kReal.end(), node.op_type) != kReal.end() ? SeedKind::real : SeedKind::none;
}

// A sequence of well mixed words: SplitMix64, G. Steele, D. Lea, C. Flood, "Fast splittable pseudorandom number
// generators", OOPSLA 2014.
class Words {
 public:
  explicit Words(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }

 private:
  uint64_t state_;
};

void seed_nodes(Graph& graph, Words& words) {
  constexpr uint32_t kFinite = 0xbfffffff;  // without the highest bit of the exponent
  const std::vector<NodeId> order = graph.order();
  for (const NodeId id : order) {
    Node& node = graph.node(id);
    for (const auto& subgraph : Graph::subgraphs(node)) seed_nodes(*subgraph, words);
    const SeedKind kind = seed_kind(node);
    if (kind == SeedKind::none) continue;
    const auto word = static_cast<uint32_t>(words.next() >> 32);
    const bool has_seed = std::any_of(node.attributes.begin(), node.attributes.end(),
                                      [](const Attribute& attribute) { return attribute.name == "seed"; });
    if (has_seed) continue;
    AttributeValue value = int64_t{word};
    if (kind == SeedKind::real) value = std::bit_cast<float>(word & kFinite);
    node.attributes.push_back({"seed", std::move(value)});
  }
}

}  // namespace

void seed_random_operators(Graph& graph, uint64_t seed) {
  Words words(seed);
  seed_nodes(graph, words);
}

}  // namespace onnxrun
