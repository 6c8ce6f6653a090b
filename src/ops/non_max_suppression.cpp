// NonMaxSuppression: https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html, versions 10, 11. Boxes of equal score
// go in the order of their indices, those without a number as score last. A box needs a score greater than
// score_threshold, as in the reference. A box without area overlaps none.
#include <algorithm>
#include <optional>

#include "graph/registry.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

// Corners and area of boxes, side by side for vector loops.
class Boxes {
 public:
  explicit Boxes(size_t capacity) {
    for (auto* column : {&left_, &top_, &right_, &bottom_, &area_}) column->reserve(capacity);
  }

  void clear() {
    for (auto* column : {&left_, &top_, &right_, &bottom_, &area_}) column->clear();
  }

  // [y1, x1, y2, x2], any two opposite corners, or [x_center, y_center, width, height].
  void add(const float* box, bool by_center) {
    const float half_width = box[2] / 2;
    const float half_height = box[3] / 2;
    left_.push_back(by_center ? box[0] - half_width : std::min(box[1], box[3]));
    right_.push_back(by_center ? box[0] + half_width : std::max(box[1], box[3]));
    top_.push_back(by_center ? box[1] - half_height : std::min(box[0], box[2]));
    bottom_.push_back(by_center ? box[1] + half_height : std::max(box[0], box[2]));
    area_.push_back((right_.back() - left_.back()) * (bottom_.back() - top_.back()));
  }
  void add(const Boxes& from, size_t i) {
    left_.push_back(from.left_[i]);
    right_.push_back(from.right_[i]);
    top_.push_back(from.top_[i]);
    bottom_.push_back(from.bottom_[i]);
    area_.push_back(from.area_[i]);
  }

  // Whether the intersection of box `i` of `other` and any of these is more than `threshold` of their union.
  bool overlap(const Boxes& other, size_t i, float threshold) const {
    constexpr size_t kBlock = 64;
    const float left = other.left_[i], right = other.right_[i];
    const float top = other.top_[i], bottom = other.bottom_[i];
    const float area = other.area_[i];
    if (!(area > 0)) return false;
    for (size_t begin = 0; begin < left_.size(); begin += kBlock) {
      const size_t end = std::min(begin + kBlock, left_.size());
      int found = 0;
      for (size_t k = begin; k < end; ++k) {
        const float width = std::min(right, right_[k]) - std::max(left, left_[k]);
        const float height = std::min(bottom, bottom_[k]) - std::max(top, top_[k]);
        const float shared = width * height;
        const float joint = area + area_[k] - shared;
        found |= static_cast<int>(width > 0) & static_cast<int>(height > 0) & static_cast<int>(area_[k] > 0) &
                 static_cast<int>(shared / joint > threshold);
      }
      if (found != 0) return true;
    }
    return false;
  }

 private:
  std::vector<float> left_, top_, right_, bottom_, area_;
};

class NonMaxSuppression : public Operator {
 public:
  explicit NonMaxSuppression(AttributeReader& attributes) : by_center_(attributes.flag("center_point_box", false)) {}

  OperatorTraits traits() const override { return {.data_dependent = true}; }

  void infer(InferContext& context) const override {
    const DimShape& boxes = context.shape(0);
    const DimShape& scores = context.shape(1);
    if (boxes.has_rank() && (boxes.rank() != 3 || (boxes[2].is_number() && !boxes[2].is(4)))) {
      context.fail("boxes must be [batches, boxes, 4], they are " + boxes.to_string());
    }
    if (scores.has_rank() && scores.rank() != 3) {
      context.fail("scores must be [batches, classes, boxes], they are " + scores.to_string());
    }
    if (boxes.has_rank() && scores.has_rank()) {
      const auto differ = [](const Dim& a, const Dim& b) { return a.is_number() && b.is_number() && !(a == b); };
      if (differ(boxes[0], scores[0]) || differ(boxes[1], scores[2])) {
        context.fail("boxes " + boxes.to_string() + " and scores " + scores.to_string() + " do not go together");
      }
    }
    context.set_shape(0, {Dim::unknown(), 3});
  }

  void run(RunContext& context) const override {
    const TensorView boxes = context.input(0);
    const TensorView scores = context.input(1);
    const int64_t most = scalar<int64_t>(context, 2, "max_output_boxes_per_class").value_or(0);
    const float iou_threshold = scalar<float>(context, 3, "iou_threshold").value_or(0);
    const auto score_threshold = scalar<float>(context, 4, "score_threshold");
    if (!(iou_threshold >= 0 && iou_threshold <= 1)) {
      RunContext::fail("iou_threshold " + std::to_string(iou_threshold) + " is not inside [0, 1]");
    }
    const int64_t count = boxes.shape[1];
    std::vector<int64_t> selected;  // triples
    Boxes candidates(static_cast<size_t>(count));
    for (int64_t batch = 0; most > 0 && batch < scores.shape[0]; ++batch) {
      candidates.clear();
      for (int64_t i = 0; i < count; ++i) {
        candidates.add(boxes.values<float>().data() + (batch * count + i) * 4, by_center_);
      }
      for (int64_t label = 0; label < scores.shape[1]; ++label) {
        const float* row = scores.values<float>().data() + (batch * scores.shape[1] + label) * count;
        for (const int64_t box : select(candidates, row, count, most, iou_threshold, score_threshold)) {
          selected.insert(selected.end(), {batch, label, box});
        }
      }
    }
    int64_t* dst = context.output<int64_t>(0, DType::int64, {static_cast<int64_t>(selected.size() / 3), 3});
    std::copy(selected.begin(), selected.end(), dst);
  }

 private:
  template <class T>
  static std::optional<T> scalar(const RunContext& context, size_t i, const char* name) {
    if (!context.has_input(i)) return std::nullopt;
    const TensorView view = context.input(i);
    if (view.elements() == 0) return std::nullopt;
    if (view.elements() != 1) RunContext::fail(std::string(name) + " must be one number");
    return view.values<T>()[0];
  }

  // The boxes that stay, best first.
  static std::vector<int64_t> select(const Boxes& boxes, const float* scores, int64_t count, int64_t most,
                                     float iou_threshold, std::optional<float> score_threshold) {
    std::vector<int64_t> order;
    for (int64_t i = 0; i < count; ++i) {
      if (!score_threshold || scores[i] > *score_threshold) order.push_back(i);
    }
    const auto is_before = [scores](int64_t a, int64_t b) {
      const bool a_is_number = scores[a] == scores[a];
      const bool b_is_number = scores[b] == scores[b];
      if (a_is_number != b_is_number) return a_is_number;
      return scores[a] > scores[b] || (!(scores[a] < scores[b]) && a < b);
    };
    // A heap, for often few boxes are looked at.
    const auto is_worse = [&](int64_t a, int64_t b) { return is_before(b, a); };
    std::make_heap(order.begin(), order.end(), is_worse);
    std::vector<int64_t> selected;
    Boxes kept(std::min(order.size(), static_cast<size_t>(most)));
    while (!order.empty() && static_cast<int64_t>(selected.size()) < most) {
      std::pop_heap(order.begin(), order.end(), is_worse);
      const int64_t box = order.back();
      order.pop_back();
      if (kept.overlap(boxes, static_cast<size_t>(box), iou_threshold)) continue;
      kept.add(boxes, static_cast<size_t>(box));
      selected.push_back(box);
    }
    return selected;
  }

  bool by_center_;
};

}  // namespace

void register_non_max_suppression(OpRegistry& registry) {
  registry.add({.name = "NonMaxSuppression",
                .versions = {10, 11},
                .signature =
                    "boxes:float32, scores:float32, max_output_boxes_per_class:int64?, iou_threshold:float32?, "
                    "score_threshold:float32? -> selected_indices:int64",
                .create = make_operator<NonMaxSuppression>});
}

}  // namespace onnxrun
