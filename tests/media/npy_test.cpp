#include "media/npy.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <complex>
#include <cstring>
#include <string>

#include "media/files.h"
#include "onnxrun/error.h"

namespace onnxrun {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

// The files in tests/media/data were written by numpy 1.24.
Tensor read_sample(const std::string& name) { return read_npy(ONNXRUN_SOURCE_DIR "/tests/media/data/" + name); }

// A version 1 file of this header text and these elements.
std::string make_file(const std::string& header, const std::string& data) {
  std::string file("\x93NUMPY\x01\x00", 8);
  file += static_cast<char>(header.size() & 0xFF);
  file += static_cast<char>(header.size() >> 8);
  return file + header + data;
}

Tensor parse(const std::string& file) {
  return parse_npy({reinterpret_cast<const std::byte*>(file.data()), file.size()});
}

void expect_refused(const std::string& file, const std::string& message) {
  try {
    parse(file);
    ADD_FAILURE() << "not refused: " << message;
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr(message));
  }
}

std::string as_text(const std::vector<std::byte>& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

TEST(ReadNpy, ReadsWhatNumpyWrites) {
  const Tensor tensor = read_sample("float32_c.npy");
  EXPECT_EQ(tensor.dtype(), DType::float32);
  EXPECT_EQ(tensor.shape(), (Shape{2, 3, 4}));
  for (size_t i = 0; i < 24; ++i) EXPECT_EQ(tensor.values<float>()[i], static_cast<float>(i));
}

TEST(ReadNpy, FortranOrderBecomesRowMajor) {
  const Tensor tensor = read_sample("float32_fortran.npy");
  EXPECT_EQ(tensor.shape(), (Shape{2, 3, 4}));
  for (size_t i = 0; i < 24; ++i) EXPECT_EQ(tensor.values<float>()[i], static_cast<float>(i));
}

TEST(ReadNpy, BigEndianIsSwapped) {
  const Tensor integers = read_sample("int32_big_endian.npy");
  EXPECT_EQ(integers.dtype(), DType::int32);
  EXPECT_THAT(integers.values<int32_t>(), ElementsAre(1, -2, 3, 400000, 5, -6));
  const Tensor complex = read_sample("complex128_big_endian.npy");
  EXPECT_EQ(complex.dtype(), DType::complex128);
  EXPECT_THAT(complex.values<std::complex<double>>(),
              ElementsAre(std::complex<double>(1, 2), std::complex<double>(0, -3.5)));
}

TEST(ReadNpy, StringsBecomeUtf8) {
  const Tensor tensor = read_sample("unicode.npy");
  EXPECT_EQ(tensor.dtype(), DType::string);
  EXPECT_THAT(tensor.values<std::string>(), ElementsAre("digit", "", "Ünï", "漢字", "😀"));
  EXPECT_THAT(read_sample("bytes.npy").values<std::string>(), ElementsAre("ab", "", "xyz"));
}

TEST(ReadNpy, Float16KeepsItsBits) {
  const Tensor tensor = read_sample("float16.npy");
  EXPECT_EQ(tensor.dtype(), DType::float16);
  EXPECT_THAT(tensor.values<uint16_t>(), ElementsAre(0x3E00, 0xC000, 0x7BFF));
}

TEST(ReadNpy, NewerVersionsAndScalars) {
  const Tensor scalar = read_sample("version2.npy");
  EXPECT_EQ(scalar.dtype(), DType::boolean);
  EXPECT_EQ(scalar.shape(), Shape{});
  EXPECT_THAT(scalar.values<bool>(), ElementsAre(true));
  EXPECT_THAT(read_sample("version3.npy").values<uint16_t>(), ElementsAre(7, 8));
}

TEST(ReadNpy, RefusesObjectsAndStructures) {
  for (const char* name : {"structured.npy", "object.npy"}) {
    try {
      read_sample(name);
      ADD_FAILURE() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ErrorCode::invalid_input);
      EXPECT_THAT(error.what(), HasSubstr(name));
    }
  }
}

TEST(ReadNpy, MissingFileIsAnIoError) {
  try {
    read_sample("missing.npy");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::io);
    EXPECT_THAT(error.what(), HasSubstr("missing.npy"));
  }
}

TEST(ParseNpy, AcceptsAnyDictionaryOrderAndPython2Longs) {
  const Tensor tensor =
      parse(make_file("{\"shape\": (2L,), 'fortran_order': True, 'descr': '|u1'}\n", std::string("\x05\x06", 2)));
  EXPECT_EQ(tensor.shape(), Shape{2});
  EXPECT_THAT(tensor.values<uint8_t>(), ElementsAre(5, 6));
}

TEST(ParseNpy, EmptyArrays) {
  EXPECT_EQ(parse(make_file("{'descr': '<f4', 'fortran_order': False, 'shape': (0, 3), }", "")).shape(), (Shape{0, 3}));
}

TEST(ParseNpy, RefusesHostileFiles) {
  const auto with_shape = [](const std::string& shape) {
    return make_file("{'descr': '<f4', 'fortran_order': False, 'shape': " + shape + ", }", "1234");
  };
  EXPECT_EQ(parse(with_shape("(1,)")).elements(), 1);
  expect_refused("", "not a .npy");
  expect_refused("\x93NUMPY", "not a .npy");
  expect_refused(with_shape("(2,)"), "cut short");
  expect_refused(with_shape("(-1,)"), "malformed");
  expect_refused(with_shape("(99999999999999999999,)"), "malformed");
  EXPECT_THROW(parse(with_shape("(4611686018427387904, 4611686018427387904)")), Error);
  EXPECT_THROW(parse(with_shape("(4294967296, 4294967296)")), Error);
  expect_refused(with_shape("(1, "), "malformed");
  expect_refused(make_file("{'descr': '<f4'}", ""), "malformed");
  expect_refused(make_file("{'descr': '<U0', 'fortran_order': False, 'shape': (1000000000000,), }", ""), "width");
  expect_refused(make_file("{'descr': '<U99999999999', 'fortran_order': False, 'shape': (1,), }", ""), "not supported");
  expect_refused(make_file("{'descr': '<f16', 'fortran_order': False, 'shape': (1,), }", std::string(16, 'x')),
                 "'<f16' is not supported");
  expect_refused(make_file("{'descr': '<M8[s]', 'fortran_order': False, 'shape': (1,), }", "12345678"),
                 "not supported");
  expect_refused(make_file("{'descr': '<U1', 'fortran_order': False, 'shape': (1,), }", std::string("\x00\xD8\0\0", 4)),
                 "Unicode");
  std::string long_header = with_shape("(1,)");
  long_header[9] = '\x7F';
  expect_refused(long_header, "cut short");
}

TEST(ParseNpy, EveryTruncationIsRefused) {
  const std::string whole = as_text(read_file(ONNXRUN_SOURCE_DIR "/tests/media/data/float32_fortran.npy"));
  for (size_t size = 0; size < whole.size(); ++size) EXPECT_THROW(parse(whole.substr(0, size)), Error) << size;
}

TEST(SerializeNpy, WritesNumpysBytes) {
  for (const char* name : {"float32_c.npy", "float16.npy", "unicode.npy"}) {
    const std::string path = ONNXRUN_SOURCE_DIR "/tests/media/data/" + std::string(name);
    EXPECT_EQ(as_text(serialize_npy(read_npy(path))), as_text(read_file(path))) << name;
  }
}

TEST(SerializeNpy, HeaderEndsOnA64ByteBoundaryAtEveryRank) {
  Shape shape;
  for (size_t rank = 0; rank < 40; ++rank) {
    const Tensor tensor(DType::uint8, shape);
    const std::vector<std::byte> file = serialize_npy(tensor);
    EXPECT_EQ((file.size() - tensor.bytes()) % 64, 0u) << rank;
    EXPECT_EQ(parse_npy(file).shape(), shape);
    shape.push_back(1);
  }
}

TEST(SerializeNpy, RefusesWhatNumpyLacks) {
  for (const DType dtype : {DType::bfloat16, DType::float8e4m3fn, DType::int4, DType::uint2}) {
    try {
      serialize_npy(Tensor(dtype, {2}));
      ADD_FAILURE() << dtype_name(dtype);
    } catch (const Error& error) {
      EXPECT_THAT(error.what(), HasSubstr(".pb"));
    }
  }
}

TEST(SerializeNpy, RefusesStringsThatWouldChange) {
  Tensor tensor(DType::string, {1});
  tensor.mutable_values<std::string>()[0] = "\xFF";
  EXPECT_THROW(serialize_npy(tensor), Error);
  tensor.mutable_values<std::string>()[0] = std::string("a\0", 2);
  EXPECT_THROW(serialize_npy(tensor), Error);
}

}  // namespace
}  // namespace onnxrun
